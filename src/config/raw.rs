//! Says what a config file may hold: one struct per table, one field per key.
//!
//! The first line above a field is what an editor shows. A key that is added here stands in
//! `config/default.toml` too; a test sees to it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::record::{AssignedUnit, Dialect, Language, ProviderKind};
use crate::routing::experiment::{Metric, Mode, Stop};

use super::catalogue::RawModelFacts;
use super::choices::{Direction, LoginWord, ProfileWord};
use super::kinds::{
    Amount, DateText, Deadline, HardwareText, HashText, HeaderText, HostText, MarginText,
    ModelText, OriginText, Part, PatternText, Secret, Size, VersionText,
};
use super::prices::RawPriceRow;
use super::raw_routing::{RawAlerts, RawFailover, RawModel, RawProbes, RawRule};
use super::read::{At, Entries, table};
use super::settings::{AuthScheme, BaseUrl, ErrorShape, Keepalive, UsagePlace};

table! {
    /// A Tollgate config.
    RawConfig {
        /// The data plane: what applications call.
        server: RawServer,
        /// The admin plane: page, JSON API, metrics, health.
        admin: RawAdmin,
        /// Where records are kept and how long.
        store: RawStore,
        /// Deadlines.
        timeouts: RawTimeouts,
        /// Sizes and counts.
        limits: RawLimits,
        /// The upstream APIs, each under a name of its own.
        providers: Entries<RawProvider>,
        /// Models with routes of their own.
        models: Entries<RawModel>,
        /// What is to be done with some requests; the first rule that matches counts.
        rules: Vec<At<RawRule>>,
        /// What happens when a route fails before its first token.
        failover: RawFailover,
        /// Cheap requests of our own: to idle routes, and by a schedule.
        probes: RawProbes,
        /// Who is told what of them.
        alerts: RawAlerts,
        /// Benchmarks, loads, probes and evaluations that the page begins.
        runs: RawRuns,
        /// Live experiments: two routes of a model, taken by lot.
        experiments: Entries<RawExperiment>,
        /// Prices that go before the shipped ones.
        prices: RawPrices,
        /// What is known of models, before the shipped catalogue.
        catalogue: Entries<RawModelFacts>,
    }
}

table! {
    /// Prices that go before the shipped ones.
    RawPrices {
        /// A file of prices, in the shape of the shipped table.
        file: PathBuf,
        /// Single rows; they go before those of the file.
        rows: Vec<At<RawPriceRow>>,
    }
}

table! {
    /// Runs that the page begins.
    RawRuns {
        /// Whether it begins any.
        enabled: bool,
        /// The folder of results; a relative path is beside the store.
        folder: PathBuf,
        /// The folder whose files evaluations may name; relative to this file.
        sets: PathBuf,
        /// US dollars that one run may be given.
        max_cost: Amount,
        /// Requests of one run, at most.
        max_requests: u64,
    }
}

table! {
    /// The data plane's listener.
    RawServer {
        /// Address and port to listen on.
        listen: SocketAddr,
        /// Further Host names accepted, without port.
        hosts: Vec<At<HostText>>,
        /// Origins of browser and desktop apps that may call.
        origins: Vec<At<OriginText>>,
        /// Provider of requests whose model nobody claims.
        default_provider: String,
        /// Token that clients must send in `x-tollgate-token`.
        token: Secret,
        /// File with that token.
        token_file: PathBuf,
        /// Serve outside loopback without a token.
        allow_unauthenticated: bool,
        /// Worker threads; one per core unless given.
        workers: u64,
        /// Certificate and key; plain HTTP/1.1 without.
        tls: RawTls,
    }
}

table! {
    /// Certificate files of a listener.
    RawTls {
        /// PEM file with the certificate chain.
        certificate: PathBuf,
        /// PEM file with the private key.
        key: PathBuf,
    }
}

table! {
    /// The admin plane's listener.
    RawAdmin {
        /// Address and port to listen on.
        listen: SocketAddr,
        /// Further Host names accepted, without port.
        hosts: Vec<At<HostText>>,
        /// Bearer token that the page and the API require.
        token: Secret,
        /// File with that token.
        token_file: PathBuf,
        /// Serve outside loopback without a token.
        allow_unauthenticated: bool,
    }
}

table! {
    /// Where records are kept and how long.
    RawStore {
        /// The store's file; a relative path is under the user's data directory.
        path: PathBuf,
        /// Memory for the store's page cache.
        cache: Size,
        /// Age after which records go.
        keep_records: Duration,
        /// Size of the records after which the oldest go.
        keep_bytes: Size,
        /// Age after which minute roll-ups go.
        keep_minutes: Duration,
        /// Age after which hour roll-ups go.
        keep_hours: Duration,
        /// Records that may wait for the writer.
        queue_max: u64,
    }
}

table! {
    /// Deadlines.
    RawTimeouts {
        /// DNS, TCP and TLS together.
        connect: Duration,
        /// To the first token, while another route is left.
        first_token: Duration,
        /// Longest silence of a provider; comments and pings are life.
        silence: Duration,
        /// Whole exchange, or `none`.
        total: Deadline,
        /// A client that sends no complete header.
        request_headers: Duration,
        /// A client that sends no complete body.
        request_body: Duration,
        /// A client that does not read its answer.
        client_write: Duration,
        /// An idle client connection.
        client_idle: Duration,
        /// An idle pooled provider connection.
        pool_idle: Duration,
        /// In-flight exchanges at shutdown.
        drain: Duration,
    }
}

table! {
    /// Sizes and counts.
    RawLimits {
        /// Body of an inference request.
        request_body: Size,
        /// Nesting of an inference request's JSON.
        json_depth: u64,
        /// Headers of a request, altogether.
        header_bytes: Size,
        /// Number of headers of a request.
        headers: u64,
        /// Open client connections.
        connections: u64,
        /// Exchanges at work.
        in_flight: u64,
        /// One event of a stream that is still read for its meaning.
        event: Size,
        /// Decoded copy of a compressed answer.
        decoded: Size,
        /// Connections per provider and worker.
        connections_per_provider: u64,
    }
}

table! {
    /// One upstream API.
    RawProvider {
        /// The preset it is made from; its own name unless given.
        preset: String,
        /// Its family.
        dialect: Dialect,
        /// What that family's SDK would be given as base URL.
        base_url: BaseUrl,
        /// Its region.
        region: String,
        /// Cloud project (Vertex AI).
        project: String,
        /// Resource name (Azure).
        resource: String,
        /// Deployment (Azure's older paths).
        deployment: String,
        /// API version (Azure's older paths).
        api_version: String,
        /// The inference profile by which bare Claude ids are asked for (Bedrock).
        inference_profile: ProfileWord,
        /// Credential, best as `${NAME}`.
        api_key: Secret,
        /// Several credentials, of which the least limited goes first.
        api_keys: Vec<At<Secret>>,
        /// File with the credential.
        api_key_file: PathBuf,
        /// A program that prints the credential, and its arguments.
        api_key_command: Vec<At<String>>,
        /// How long that program may run.
        api_key_timeout: Duration,
        /// How long what it printed holds, or `none`: until it is refused.
        api_key_lifetime: Deadline,
        /// A cloud's own login instead of a key.
        login: LoginWord,
        /// A profile of AWS's files.
        aws_profile: String,
        /// A file of Google's: a service account's key, or a user's grant.
        credentials_file: PathBuf,
        /// How the credential is put on a request.
        auth: AuthScheme,
        /// Whether it runs models itself or resells others'.
        kind: ProviderKind,
        /// Further headers on every request.
        headers: Entries<HeaderText>,
        /// Languages that it speaks, the best first; those of its family unless given.
        speaks: Vec<At<Language>>,
        /// Leave out, and list, fields that its language has no place for; refused unless true.
        drop_params: bool,
        /// Join later system messages to the first ones; refused unless true.
        merge_system: bool,
        /// Hand addresses of images on, for it to fetch, where its language has a place for them.
        pass_urls: bool,
        /// Limit of output tokens where its language needs one and the request has none.
        max_tokens_default: u64,
        /// Version of Anthropic's API that translated requests name.
        anthropic_version: VersionText,
        /// Model names there that take an effort of reasoning, and no others; `*` at the end stands
        /// for anything.
        effort_models: Vec<At<PatternText>>,
        /// Ask for the usage event where the client left it open.
        inject_usage: bool,
        /// Offer HTTP/2.
        http2: bool,
        /// PEM file with further root certificates.
        ca_file: PathBuf,
        /// Model names that are this provider's own; `*` at the end stands for anything.
        models: Vec<At<PatternText>>,
        /// Send credentials in plain text to a host that is not one's own.
        allow_plain_http: bool,
        /// Share that it takes off its prices.
        discount: Part,
        /// US dollars that it costs per hour, where it is not paid by the token.
        per_hour: Amount,
        /// What it runs its models on, for reports.
        hardware: HardwareText,
    }
}

table! {
    /// A live experiment: two routes of a model, taken by lot.
    RawExperiment {
        /// The model that applications ask for.
        model: ModelText,
        /// The route that the other is compared with.
        a: RawArm,
        /// The route whose effect is asked for.
        b: RawArm,
        /// Whether the routes differ, or one is taken twice.
        mode: Mode,
        /// Share of the eligible sessions that take part.
        share: Part,
        /// Chance of arm a among those.
        split: Part,
        /// What is compared.
        metric: Metric,
        /// Which way is better.
        direction: Direction,
        /// The difference below which nobody cares.
        margin: MarginText,
        /// The chance of a false alarm that is accepted.
        alpha: Part,
        /// The chance of finding a difference as large as the margin that is planned for.
        power: Part,
        /// When it may be answered.
        stop: Stop,
        /// When it begins (UTC).
        start: DateText,
        /// When it ends (UTC).
        end: DateText,
        /// What a coin is thrown for.
        unit: AssignedUnit,
        /// Salts the coins.
        seed: u64,
        /// What may take part.
        eligible: RawEligible,
    }
}

table! {
    /// An arm of an experiment: a route of its model.
    RawArm {
        /// The provider's name.
        provider: String,
        /// The model's name there; needed where the provider has two routes of the model.
        model: ModelText,
    }
}

table! {
    /// What may take part in an experiment.
    RawEligible {
        /// Tags of which a request has one at least.
        tags: Vec<At<String>>,
        /// Client credentials, as the keyed hashes that exports show.
        client_keys: Vec<At<HashText>>,
        /// Endpoints, as records name them.
        endpoints: Vec<At<String>>,
        /// Only streams, or only whole answers.
        stream: bool,
    }
}

table! {
    /// A provider as `config/providers.toml` knows it.
    RawPreset {
        /// Base URL; `{region}`, `{project}`, `{resource}` and the like stand for those keys.
        base_url: String,
        /// Base URL where a region is given.
        region_url: String,
        /// Base URLs of regions that follow no rule.
        region_urls: Entries<String>,
        /// Regions known to exist.
        regions: Vec<At<String>>,
        /// Hosts besides the preset's own that its variables' keys may go to.
        key_hosts: Vec<At<String>>,
        /// Its family.
        dialect: Dialect,
        /// Whether it resells.
        kind: ProviderKind,
        /// How a credential is put on a request.
        auth: AuthScheme,
        /// Variables that may hold its credential, in order.
        variables: Vec<At<String>>,
        /// The login of its cloud, where no key is given.
        login: LoginWord,
        /// Variables that may hold its region, in order.
        region_variables: Vec<At<String>>,
        /// Its region where none is given.
        default_region: String,
        /// Variables that may hold its project, in order.
        project_variables: Vec<At<String>>,
        /// Variables that may hold its resource's name, or the address of its endpoint, in order.
        resource_variables: Vec<At<String>>,
        /// Languages that it speaks, the best first; those of its family unless given.
        speaks: Vec<At<Language>>,
        /// Whether the usage event is asked for.
        inject_usage: bool,
        /// Whether HTTP/2 is offered.
        http2: bool,
        /// How it keeps a waiting stream alive.
        keepalive: Keepalive,
        /// Where it puts usage.
        usage_place: UsagePlace,
        /// The shape of its errors.
        error_shape: ErrorShape,
        /// Model name patterns that are its own.
        models: Vec<At<PatternText>>,
        /// Model names there that take an effort of reasoning, beside those whose name tells.
        effort_models: Vec<At<PatternText>>,
        /// Fields of a chat request that it is known to refuse.
        refuses: Vec<At<String>>,
        /// Headers on every request.
        headers: Entries<HeaderText>,
        /// Runs on one's own machine: there only when configured.
        local: bool,
        /// Another door to a house that has a preset already: there only when configured.
        named_only: bool,
        /// What it runs its models on, where a source says, and which one does.
        hardware: HardwareText,
        /// Where `hardware` is from.
        hardware_source: String,
        /// Where its API is documented.
        docs: String,
        /// What is not certain.
        note: String,
    }
}
