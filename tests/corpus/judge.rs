//! Runs the cases of a family one after the other, and says everything that is not as it should be.

use serde_json::Value;
use tollgate::record::{ExchangeRecord, Outcome};

use super::case::{Case, Want};
use super::client::{Answer, Got};
use super::template::expand;
use super::upstream::{Seen, answer_to};
use super::world::{Setup, World, wait_for};

/// What no record, and no answer of our own, may hold any of.
const SECRET: &str = "CANARY";

/// Runs a family in a world of its own; fails with a table of all findings.
pub(crate) fn family(setup: Setup, cases: &[Case]) {
    let world = World::start(setup);
    let only = std::env::var("CASE").ok();
    let mut findings = Vec::new();
    for case in cases {
        if only
            .as_deref()
            .is_some_and(|only| !case.name.contains(only))
        {
            continue;
        }
        let begun = std::time::Instant::now();
        let mut faults = judge(&world, case);
        faults.extend(world.good());
        if std::env::var("TIMES").is_ok() {
            println!("{:>8.1?}  {}", begun.elapsed(), case.name);
        }
        findings.extend(
            faults
                .into_iter()
                .map(|fault| format!("{:<34} {fault}\n{:<34}   ({})", case.name, "", case.note)),
        );
    }
    if world.canary.connections() > 0 {
        findings.push("the canary upstream was called".to_owned());
    }
    if !world.is_at_rest() {
        findings.push(format!("still at work: {:?}", world.node.shared.counts()));
    }
    world.node.stop();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// Everything that is wrong with one case.
fn judge(world: &World, case: &Case) -> Vec<String> {
    let (raw, all) = (world.raw.count(), world.upstream_requests());
    let accepted = world.node.shared.counts().0;
    let got = world.run(&case.steps, case.wants.len(), case.closes);
    let mut faults = Vec::new();
    if !world.is_at_rest() {
        faults.push("an exchange is still at work".to_owned());
    }
    let records = world.take_records();
    let accepted = world.node.shared.counts().0 - accepted;
    if accepted != records.len() as u64 {
        faults.push(format!("{accepted} exchanges, {} records", records.len()));
    }
    answers(world, case, &got, &mut faults);
    kept(case, &records, &mut faults);
    if case.may_reach {
        // What was given up may be on its way still.
        let sent: usize = records.iter().map(|record| record.attempts.len()).sum();
        wait_for(|| world.upstream_requests() >= all + sent);
    }
    let seen = world.raw.since(raw);
    let reached = world.upstream_requests() - all;
    let answered = |want: &&Want| matches!(want, Want::Provider(_));
    let due = case.wants.iter().filter(answered).count();
    if (reached < due && !case.gone) || (reached > due && !case.may_reach) {
        faults.push(format!(
            "providers saw {reached} requests instead of {due}: {seen:?}"
        ));
    }
    forwarded(world, case, &seen, &mut faults);
    if seen.len() == reached {
        faults.extend(relayed(case, &got, &seen));
    }
    faults
}

/// What came back otherwise than the raw upstream sent it.
fn relayed(case: &Case, got: &Got, seen: &[Seen]) -> Option<String> {
    let answers = case.wants.iter().zip(&got.answers);
    let provided = answers.filter(|(want, _)| matches!(want, Want::Provider(_)));
    provided.zip(seen).find_map(|((_, answer), request)| {
        let sent = if request.method == "HEAD" {
            ""
        } else {
            answer_to(&request.target)
        };
        (answer.body != sent.as_bytes()).then(|| format!("not what was sent: {:?}", answer.text()))
    })
}

fn answers(world: &World, case: &Case, got: &Got, faults: &mut Vec<String>) {
    if got.gave_up {
        faults.push(format!("nothing came for long; so far {got:?}"));
    }
    let interim: &[u16] = if case.goes_on { &[100] } else { &[] };
    if got.interim != interim {
        faults.push(format!(
            "interim answers {:?}, wanted {interim:?}",
            got.interim
        ));
    }
    if case.closes && !got.closed {
        faults.push("the connection was left open".to_owned());
    }
    if !got.rest.is_empty() {
        let rest = String::from_utf8_lossy(&got.rest);
        faults.push(format!("bytes that are no whole answer: {rest:?}"));
    }
    let statuses: Vec<u16> = got.answers.iter().map(|answer| answer.status).collect();
    if got.answers.len() > case.wants.len() || (got.answers.len() < case.wants.len() && !case.gone)
    {
        faults.push(format!("answers {statuses:?}, wanted {}", case.wants.len()));
    }
    for (want, answer) in case.wants.iter().zip(&got.answers) {
        if let Some(fault) = unlike(*want, answer) {
            faults.push(format!("{fault}: {:?}", answer.text()));
        }
        for text in case
            .hides
            .iter()
            .filter(|text| answer.text().contains(**text))
        {
            faults.push(format!("the answer holds {text:?}: {:?}", answer.text()));
        }
    }
    for text in &case.says {
        let text = String::from_utf8_lossy(&expand(text, &world.known)).into_owned();
        let last = got.answers.last().map(Answer::text).unwrap_or_default();
        // Header names are as their sender likes them.
        if !last.contains(&text) && !last.to_lowercase().contains(&text) {
            faults.push(format!("the answer lacks {text:?}: {last:?}"));
        }
    }
}

/// What an answer has that it should not, or the other way round.
pub(crate) fn unlike(want: Want, answer: &Answer) -> Option<String> {
    let status = answer.status;
    match want {
        Want::Provider(wanted) => {
            let ours = answer.header("x-proxy-error").is_some();
            (status != wanted || ours).then(|| format!("{status}, wanted a provider's {wanted}"))
        }
        Want::Made(wanted) => (status != wanted).then(|| format!("{status}, wanted {wanted}")),
        Want::Library(wanted) => (!wanted.contains(&status) || !answer.body.is_empty())
            .then(|| format!("{status}, wanted an empty {wanted:?}")),
        Want::Own(wanted, code) => {
            if status != wanted || answer.header("x-proxy-error") != Some(code) {
                return Some(format!("{status}, wanted {wanted} {code}"));
            }
            misshapen(answer, code)
        }
    }
}

/// The shape of every error of our own.
fn misshapen(answer: &Answer, code: &str) -> Option<String> {
    if answer.header("content-type") != Some("application/json") {
        return Some("an error that is not application/json".to_owned());
    }
    if answer.header("x-request-id").is_none_or(str::is_empty) {
        return Some("an error without x-request-id".to_owned());
    }
    if answer.text().contains(SECRET) {
        return Some("an error that repeats what was sent".to_owned());
    }
    let body: Value = match serde_json::from_slice(&answer.body) {
        Ok(body) => body,
        // The answer to HEAD has none.
        Err(_) if answer.body.is_empty() && answer.header("content-length") != Some("0") => {
            return None;
        }
        Err(error) => return Some(format!("an error that is no JSON: {error}")),
    };
    let error = &body["error"];
    let keys: Vec<&str> = error
        .as_object()
        .map_or_else(Vec::new, |error| error.keys().map(String::as_str).collect());
    let complete = ["message", "type", "param", "code"]
        .iter()
        .all(|key| keys.contains(key));
    let texts = error["message"]
        .as_str()
        .is_some_and(|text| !text.is_empty())
        && error["type"].is_string()
        && (error["param"].is_null() || error["param"].is_string());
    (!complete || !texts || error["code"] != code).then(|| format!("a misshapen error {body}"))
}

/// What the records say.
fn kept(case: &Case, records: &[ExchangeRecord], faults: &mut Vec<String>) {
    for record in records {
        let text = format!("{record:?}");
        if text.contains(SECRET) {
            faults.push(format!("a record holds what was sent: {text}"));
        }
    }
    // Pipelined requests may come in one read, and then begin together; none begins before the
    // one in front of it, or is over before it. A refusal is settled without its write.
    let relayed: Vec<&ExchangeRecord> = records
        .iter()
        .filter(|record| record.outcome != Outcome::Rejected)
        .collect();
    for pair in relayed.windows(2) {
        if pair[1].started_at < pair[0].started_at || pair[1].closed_at < pair[0].closed_at {
            faults.push(format!("an exchange overtook the one before it: {pair:?}"));
        }
    }
    let found: Vec<(Outcome, &str)> = records
        .iter()
        .map(|record| (record.outcome, record.reason.as_str()))
        .collect();
    let fits = match case.records {
        _ if case.gone => {
            let gone = [Outcome::ClientGone, Outcome::Rejected, Outcome::Ok];
            found.len() <= 1 && found.iter().all(|(outcome, _)| gone.contains(outcome))
        }
        Some(wanted) => found == wanted,
        None => follow(&case.wants, &found),
    };
    if !fits {
        faults.push(format!("records {found:?}, wanted {:?}", case.records));
    }
    let endpoint = records.last().map(|record| record.endpoint.as_str());
    if case.endpoint.is_some() && endpoint != case.endpoint {
        faults.push(format!("endpoint {endpoint:?}, wanted {:?}", case.endpoint));
    }
}

/// Whether the records follow from the answers: one for each that is ours or a provider's.
fn follow(wants: &[Want], records: &[(Outcome, &str)]) -> bool {
    let due: Vec<&Want> = wants
        .iter()
        .filter(|want| !matches!(want, Want::Library(_)))
        .collect();
    due.len() == records.len()
        && due
            .iter()
            .zip(records)
            .all(|(want, (outcome, reason))| match want {
                Want::Provider(status) if *status < 400 => *outcome == Outcome::Ok,
                Want::Provider(_) => *outcome == Outcome::ClientError,
                Want::Own(_, code) => *outcome == Outcome::Rejected && reason == code,
                Want::Made(_) | Want::Library(_) => true,
            })
}

/// What the raw upstream saw.
fn forwarded(world: &World, case: &Case, seen: &[Seen], faults: &mut Vec<String>) {
    for request in seen {
        if !request.faults.is_empty() {
            faults.push(format!("the provider got {request:?}"));
        }
        if !request.whole && !case.may_reach {
            faults.push(format!("the provider got half of {request:?}"));
        }
        let marks = request.values("x-tollgate-instance");
        if marks
            .iter()
            .filter(|mark| **mark == world.known.instance)
            .count()
            != 1
        {
            faults.push(format!("the provider got the marks {marks:?}"));
        }
        let claude = request.target.starts_with("/claude/");
        let foreign = match (claude, request.target.starts_with("/keyed/")) {
            (true, _) => {
                !request.values("authorization").is_empty()
                    && !request.values("x-api-key").is_empty()
            }
            (_, true) => request.values("authorization") != ["Bearer sk-CANARY-KEYED"],
            _ => request
                .headers
                .iter()
                .any(|(_, value)| value.contains("sk-CANARY-KEYED")),
        };
        let sim = request
            .headers
            .iter()
            .any(|(_, value)| value.contains("sk-CANARY-SIM"));
        if foreign || sim {
            faults.push(format!("a key went astray: {request:?}"));
        }
    }
    let Some(last) = seen.last() else {
        if !case.sees.is_empty() || case.target.is_some() || case.body.is_some() {
            faults.push("the raw upstream saw nothing".to_owned());
        }
        return;
    };
    let text = |template| String::from_utf8_lossy(&expand(template, &world.known)).into_owned();
    for (name, values) in &case.sees {
        let (found, wanted) = (last.values(name), values.iter().map(|value| text(value)));
        if found != wanted.collect::<Vec<_>>() {
            faults.push(format!(
                "the provider got {name}: {found:?}, wanted {values:?}"
            ));
        }
    }
    if case
        .target
        .is_some_and(|target| text(target) != last.target)
    {
        faults.push(format!("the provider got target {:?}", last.target));
    }
    let body = case.body.map(|body| expand(body, &world.known));
    if body.is_some_and(|body| body != last.body) {
        let body = String::from_utf8_lossy(&last.body);
        faults.push(format!("the provider got body {body:?}"));
    }
}
