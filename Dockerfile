# The builder and the runtime are of one Debian release: a binary needs the libc it was built with.
FROM rust:1.95-slim-bookworm AS build
# The allocator is built by make.
RUN apt-get update && apt-get install -y --no-install-recommends make && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked && \
    install -D --strip target/release/tollgate /out/tollgate
# An empty directory of the runtime's user: a new volume takes over its owner.
RUN install -d -m 0700 -o 65532 -g 65532 /out/data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/tollgate /tollgate
COPY --from=build --chown=65532:65532 /out/data /data
COPY docs/container.toml /etc/tollgate/tollgate.toml
ENV TOLLGATE_CONFIG=/etc/tollgate/tollgate.toml
USER nonroot
VOLUME /data
EXPOSE 4100 4101
# SIGTERM drains: exchanges at work may finish (timeouts.drain).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 \
    CMD ["/tollgate", "healthcheck"]
ENTRYPOINT ["/tollgate"]
CMD ["serve"]
