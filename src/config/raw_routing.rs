//! Says what a config may hold of models' routes, of rules, and of failing over.

use std::time::Duration;

use crate::routing::policy::{Anchor, By};

use super::choices::{GoneWord, PolicyWord};
use super::kinds::{
    Amount, CronText, DateText, DayWord, Deadline, HashText, HookText, HoursText, MillionRate,
    ModelText, NameText, Number, Part, PatternText, Share, Size, ZoneText,
};
use super::read::{At, table};
use super::routes::RampStop;

table! {
    /// A model with routes of its own.
    RawModel {
        /// How the routes are ordered.
        policy: PolicyWord,
        /// What `fastest` means.
        by: By,
        /// What a second of waiting is worth to `balanced`, US dollars.
        dollars_per_second: Number,
        /// What `sticky` recognises requests by.
        anchor: Anchor,
        /// The policy that `sticky` leans on.
        then: PolicyWord,
        /// Ways to the model, in order.
        routes: Vec<At<RawRoute>>,
        /// What the model is to hold.
        slo: RawSlo,
        /// Regions that may answer; no other one, whatever happens.
        regions: Vec<At<NameText>>,
        /// Places where the data may stay; no other one, whatever happens.
        residency: Vec<At<NameText>>,
        /// US dollars that a request may be expected to cost.
        max_cost: Amount,
        /// US dollars per million prompt tokens that a route may cost.
        max_input: MillionRate,
        /// US dollars per million tokens of the answer that a route may cost.
        max_output: MillionRate,
        /// The score that a route must be shown to reach.
        min_score: RawMinScore,
        /// Time in which the whole answer is to be expected.
        deadline: Duration,
        /// Other models, asked only when every route of this one has failed.
        fallback_models: Vec<At<ModelText>>,
        /// A second request where the first is slow.
        hedge: RawHedge,
        /// A share that another route gets too, for comparison.
        shadow: RawShadow,
    }
}

table! {
    /// One way to a model.
    RawRoute {
        /// The provider's name.
        provider: String,
        /// The model's name there; the asked one unless given.
        model: ModelText,
        /// Its share where the policy draws by weight.
        weight: Number,
        /// A weight that grows, for a canary.
        ramp: RawRamp,
        /// Where it answers from; the provider's region unless given.
        region: NameText,
        /// Where its data stays.
        residency: NameText,
        /// Tokens of prompt and answer that it takes; the catalogue's number unless given.
        context: u64,
        /// As with its provider, for this route.
        drop_params: bool,
        /// As with its provider, for this route.
        merge_system: bool,
        /// As with its provider, for this route.
        max_tokens_default: u64,
    }
}

table! {
    /// A weight that grows.
    RawRamp {
        /// When it begins to (UTC).
        start: DateText,
        /// The weight then.
        from: Number,
        /// The weight at the end; the route's own unless given.
        to: Number,
        /// How long it takes.
        over: Duration,
        /// Instead: shares of the model's requests, each left where the canary is surely no worse.
        stages: Vec<At<Share>>,
        /// Exchanges that the canary has in each stage, at least.
        exchanges: u64,
        /// What becomes of the weight once the canary is found worse.
        stop: RampStop,
    }
}

table! {
    /// What a model is to hold.
    RawSlo {
        /// 95th percentile of the time to the first token.
        first_token_p95: Duration,
        /// Share of failed exchanges.
        error_rate: Share,
    }
}

table! {
    /// The score that a route must be shown to reach.
    RawMinScore {
        /// The scorer, as `tollgate eval` calls it.
        scorer: NameText,
        /// The beginning of the data set's digest.
        data_set: NameText,
        /// What the lower end of the score's interval must reach.
        at_least: Share,
        /// Whether routes that nobody has scored pass.
        unknown_passes: bool,
    }
}

table! {
    /// A second request where the first is slow.
    RawHedge {
        /// Share of the requests that may have one.
        share: Part,
        /// How long to wait for the first token; the route's own 95th percentile unless given.
        after: Duration,
        /// US dollars a day that the lost ones may cost.
        max_cost_per_day: Amount,
    }
}

table! {
    /// A share that another route gets too, for comparison.
    RawShadow {
        /// The provider's name.
        provider: String,
        /// The model's name there; the asked one unless given.
        model: ModelText,
        /// Share of the requests that it gets.
        share: Part,
        /// US dollars a day that it may cost.
        max_cost_per_day: Amount,
    }
}

table! {
    /// What is to be done with some requests; the first rule that matches counts.
    RawRule {
        /// Models asked for; `*` at the end stands for anything.
        models: Vec<At<PatternText>>,
        /// Tags; all of them.
        tags: Vec<At<NameText>>,
        /// Client keys as records show them.
        client_keys: Vec<At<HashText>>,
        /// Paths of endpoints; `*` at the end stands for anything.
        endpoints: Vec<At<PatternText>>,
        /// The fewest prompt tokens, estimated.
        prompt_tokens_min: u64,
        /// The most.
        prompt_tokens_max: u64,
        /// Whether a stream is asked for.
        stream: bool,
        /// Whether the answer must be JSON.
        json: bool,
        /// Whether tools are offered.
        tools: bool,
        /// Regions that the request is for: `x-tollgate-region`, or this installation's own.
        for_regions: Vec<At<NameText>>,
        /// Hours of the day (UTC).
        hours: Vec<At<HoursText>>,
        /// Days on which those hours begin; all unless given.
        days: Vec<At<DayWord>>,
        /// US dollars spent since the month began, at least.
        spent_min: Amount,
        /// At most.
        spent_max: Amount,
        /// Measured 95th percentiles of routes' times to the first token.
        p95: Vec<At<RawP95>>,
        /// Then: how the routes are ordered.
        policy: PolicyWord,
        /// Then: what `fastest` means.
        by: By,
        /// Then: what a second of waiting is worth to `balanced`, US dollars.
        dollars_per_second: Number,
        /// Then: what `sticky` recognises requests by.
        anchor: Anchor,
        /// Then: the policy that `sticky` leans on.
        then: PolicyWord,
        /// Then: what `cheapest_within_slo` keeps to.
        first_token_p95: Duration,
        /// Then: only routes of these providers, in this order.
        routes: Vec<At<NameText>>,
        /// Then: regions that may answer.
        regions: Vec<At<NameText>>,
        /// Then: US dollars that a request may be expected to cost.
        max_cost: Amount,
    }
}

table! {
    /// A bound on what was measured of a route.
    RawP95 {
        /// The provider's name.
        provider: String,
        /// The model's name there, where the route has one.
        model: ModelText,
        /// At least this long.
        over: Duration,
        /// At most this long.
        under: Duration,
    }
}

table! {
    /// What happens when a route fails before its first token.
    RawFailover {
        /// Tries of one request.
        attempts: u64,
        /// Longest time over all tries that an answer is held back.
        held: Deadline,
        /// Whether a prompt that one provider's filter blocked may go to another one.
        content_filter: bool,
        /// Tries beyond the first, as a share of the last minute's requests.
        budget: Part,
        /// Tries beyond the first that a minute may have in any case.
        budget_min: u64,
        /// Where this installation stands, for rules that ask.
        region: NameText,
        /// What becomes of a provider's work once its client has left.
        client_gone: GoneWord,
        /// Longest time that an answer is read on for its usage.
        drain_time: Duration,
        /// Bytes of it that are read on at most.
        drain_bytes: Size,
    }
}

table! {
    /// Cheap requests of our own: to idle routes, and by a schedule.
    RawProbes {
        /// Whether idle routes are asked.
        enabled: bool,
        /// How long a route of a model with several must have been idle.
        idle_after: Duration,
        /// When every route is asked, in cron's five fields.
        schedule: CronText,
        /// The zone of the schedule; UTC unless given.
        zone: ZoneText,
        /// Models that the schedule is for; all with routes unless given.
        models: Vec<At<PatternText>>,
        /// Ask on a fresh connection too.
        cold: bool,
        /// So many a day at most (UTC), over all routes.
        per_day: u64,
        /// US dollars a day (UTC) that they may cost.
        max_cost_per_day: Amount,
        /// Tokens of the answer that are asked for.
        max_tokens: u64,
    }
}

table! {
    /// Who is told what, and from where on.
    RawAlerts {
        /// Where alerts are sent, as JSON.
        webhook: HookText,
        /// How far a median first token may be off its baseline, as a share of it.
        drift: Share,
        /// The least share of answered probes.
        availability: Share,
        /// When the providers' lists of models are looked at, in cron's five fields (UTC).
        new_models: CronText,
    }
}
