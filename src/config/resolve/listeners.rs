//! Resolves the two listeners, and refuses one that stands open to the network without a token.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::config::kinds::{HostText, Secret};
use crate::config::raw::{RawAdmin, RawServer, RawTls};
use crate::config::read::At;
use crate::config::settings::{AdminSettings, ServerSettings, TlsFiles};

use super::numbers::count;
use super::work::Work;

/// `[server]`; the default provider is resolved when the providers are known.
pub(in crate::config) fn server(raw: RawServer, work: &mut Work<'_>) -> ServerSettings {
    let access = Access {
        table: "server",
        listen: raw.listen,
        usual_port: 4100,
        token: raw.token,
        token_file: raw.token_file,
        allow_unauthenticated: raw.allow_unauthenticated,
    };
    let open = access.resolve(work);
    let cores = work.sources.cores.clamp(1, WORKERS_MAX) as u64;
    let range = (1, WORKERS_MAX as u64);
    ServerSettings {
        listen: open.listen,
        hosts: hosts(raw.hosts),
        origins: raw
            .origins
            .into_iter()
            .flat_map(|at| at.value)
            .map(|at| at.value.0)
            .collect(),
        default_provider: None,
        tls: raw.tls.and_then(|tls| tls_files(tls, work)),
        token: open.token,
        allow_unauthenticated: open.allow_unauthenticated,
        workers: count(work, "server.workers", raw.workers, cores, range) as usize,
    }
}

/// `[admin]`.
pub(in crate::config) fn admin(
    raw: RawAdmin,
    server: &ServerSettings,
    work: &mut Work<'_>,
) -> AdminSettings {
    let access = Access {
        table: "admin",
        listen: raw.listen,
        usual_port: 4101,
        token: raw.token,
        token_file: raw.token_file,
        allow_unauthenticated: raw.allow_unauthenticated,
    };
    let span = access.listen.as_ref().map(|at| at.span.clone());
    let open = access.resolve(work);
    if overlap(server.listen, open.listen) {
        work.refuse(
            "admin.listen",
            span,
            format!("{}, where the data plane listens", open.listen),
            "an address or port of its own",
            "the usual ports are 4100 for [server] and 4101 for [admin]",
        );
    }
    AdminSettings {
        listen: open.listen,
        hosts: hosts(raw.hosts),
        token: open.token,
        allow_unauthenticated: open.allow_unauthenticated,
    }
}

/// What decides who may talk to a listener.
struct Access {
    table: &'static str,
    listen: Option<At<SocketAddr>>,
    usual_port: u16,
    token: Option<At<Secret>>,
    token_file: Option<At<PathBuf>>,
    allow_unauthenticated: Option<At<bool>>,
}

struct Open {
    listen: SocketAddr,
    token: Option<SecretString>,
    allow_unauthenticated: bool,
}

impl Access {
    fn resolve(self, work: &mut Work<'_>) -> Open {
        let usual = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.usual_port);
        let listen = self.listen.as_ref().map_or(usual, |at| at.value);
        let guarded = self.token.is_some() || self.token_file.is_some();
        let allowed = self
            .allow_unauthenticated
            .as_ref()
            .is_some_and(|at| at.value);
        let table = self.table;
        if !listen.ip().to_canonical().is_loopback() && !guarded && !allowed {
            work.refuse(
                format!("{table}.listen"),
                self.listen.map(|at| at.span),
                format!("{listen}, which others can reach, and no token"),
                format!("a loopback address, or `token` or `token_file` in [{table}]"),
                format!(
                    "give [{table}] a token (openssl rand -hex 32), or say \
                     `allow_unauthenticated = true` if everyone who can reach it may use your keys"
                ),
            );
        }
        let token = resolve_token(table, self.token, self.token_file.as_ref(), work);
        Open {
            listen,
            token,
            allow_unauthenticated: allowed,
        }
    }
}

fn resolve_token(
    table: &str,
    token: Option<At<Secret>>,
    file: Option<&At<PathBuf>>,
    work: &mut Work<'_>,
) -> Option<SecretString> {
    let path = format!("{table}.token");
    let file_path = format!("{table}.token_file");
    let (path, span, secret) = match (token, file) {
        (Some(at), Some(_)) => {
            let expected = "`token` or `token_file`, not both";
            work.refuse(path, Some(at.span), "two tokens", expected, None);
            return None;
        }
        (Some(at), None) => (path, at.span, at.value.0),
        (None, Some(file)) => {
            let secret = work.secret_file(&file_path, file)?;
            (file_path, file.span.clone(), secret)
        }
        (None, None) => return None,
    };
    let text = secret.expose_secret();
    let fault = if text.is_empty() {
        Some("an empty token")
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("a token that no header can carry")
    } else {
        None
    };
    if let Some(found) = fault {
        let expected = "printable ASCII without spaces";
        work.refuse(
            path,
            Some(span),
            found,
            expected,
            "make one with: openssl rand -hex 32",
        );
        return None;
    }
    if text.len() < TOKEN_SHORT {
        work.warn(
            path,
            Some(span),
            format!("a token of {} characters", text.len()),
            format!("at least {TOKEN_SHORT}: a short one can be guessed"),
            "make one with: openssl rand -hex 32",
        );
    }
    Some(secret)
}

fn hosts(given: Option<At<Vec<At<HostText>>>>) -> BTreeSet<String> {
    given
        .into_iter()
        .flat_map(|at| at.value)
        .map(|at| at.value.0)
        .collect()
}

fn tls_files(given: At<RawTls>, work: &mut Work<'_>) -> Option<TlsFiles> {
    match (given.value.certificate, given.value.key) {
        (Some(certificate), Some(key)) => {
            let files = [
                ("certificate", &certificate, "CERTIFICATE-----"),
                ("key", &key, "PRIVATE KEY-----"),
            ];
            let [certificate, key] = files.map(|(name, file, label)| {
                let path = format!("server.tls.{name}");
                work.pem_file(&path, file, label)
            });
            Some(TlsFiles {
                certificate: certificate?,
                key: key?,
            })
        }
        (certificate, key) => {
            for (name, missing) in [
                ("certificate", certificate.is_none()),
                ("key", key.is_none()),
            ] {
                if missing {
                    work.refuse(
                        format!("server.tls.{name}"),
                        Some(given.span.clone()),
                        "nothing",
                        "both `certificate` and `key`, or no [server.tls] at all",
                        None,
                    );
                }
            }
            None
        }
    }
}

/// Whether two listeners cannot both be bound. Port 0 is a new one each time.
fn overlap(left: SocketAddr, right: SocketAddr) -> bool {
    let (one, other) = (left.ip().to_canonical(), right.ip().to_canonical());
    left.port() == right.port()
        && left.port() != 0
        && (one == other || one.is_unspecified() || other.is_unspecified())
}

const TOKEN_SHORT: usize = 16;

const WORKERS_MAX: usize = 256;
