//! Routes of one model that speak different languages: hedged, failed over, drawn by lot.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate::record::{Arm, CancelledBy, ExchangeRecord, Language, Outcome};

use crate::support::{Ask, Rig};

const PRICES: &str =
    "[[prices.rows]]\nproviders = [\"oa\", \"an\"]\nmodels = [\"*\"]\ninput = 1\noutput = 1\n";

/// A model at a provider of chat and at one of Anthropic's messages, `chat_first` or the other way
/// round.
fn rig(more: &str, chat: &str, messages: &str, chat_first: bool) -> Rig {
    let mut routes = [
        format!("{{ provider = \"oa\", model = \"sim:{chat}\" }}"),
        format!("{{ provider = \"an\", model = \"sim:{messages}\" }}"),
    ];
    if !chat_first {
        routes.reverse();
    }
    let routes = routes.join(", ");
    Rig::configured(&format!(
        "{PRICES}[models.m]\n{more}\nroutes = [{routes}]\n"
    ))
}

/// The languages of the tries, in order.
fn spoken(record: &ExchangeRecord) -> Vec<Language> {
    let tries = record.attempts.iter();
    tries
        .map(|attempt| attempt.language.unwrap_or(record.language))
        .collect()
}

/// Words of a chat stream, and whether it ended as one.
fn words(text: &str) -> (usize, bool) {
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = data
        .clone()
        .filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let told = chunks.filter(|chunk| {
        let content = chunk["choices"][0]["delta"]["content"].as_str();
        content.is_some_and(|text| !text.is_empty())
    });
    (told.count(), data.next_back() == Some("[DONE]"))
}

#[test]
fn a_hedge_may_speak_another_language_and_only_the_winner_is_heard() {
    let hedge = "hedge = { share = 1, after = \"80ms\", max_cost_per_day = 1 }";
    for (chat, messages, chat_first, told) in [
        ("ft-2s:n-3", "ft-10ms:n-4", true, 4),
        ("ft-10ms:n-5", "ft-2s:n-4", false, 5),
        ("ft-300ms:n-3", "ft-2s:n-4", true, 3),
        ("ft-2s:n-3", "ft-300ms:n-6", false, 6),
    ] {
        let what = format!("{chat} {messages}");
        let rig = rig(hedge, chat, messages, chat_first);
        let ask = Ask::chat("m", true).to("");
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 200, "{what}");
        assert_eq!(words(&reading.text()), (told, true), "{what}");
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::Ok, "{what}");
        let mut languages = spoken(&record);
        languages.sort_unstable_by_key(|language| *language as u8);
        assert_eq!(
            languages,
            [Language::OpenAiChat, Language::AnthropicMessages],
            "{what}"
        );
        let lost = record
            .attempts
            .iter()
            .filter(|attempt| attempt.cancelled_by == Some(CancelledBy::Hedge));
        assert_eq!(lost.count(), 1, "{what}");
    }
}

#[test]
fn the_next_route_may_speak_another_language() {
    let both = [true, false].as_slice();
    for (chat, messages, chat_first, streams) in [
        ("fault-http_500", "n-4", true, both),
        ("n-4", "fault-http_529", false, both),
        // Whole answers have no first event.
        ("fault-error_first", "n-4", true, &[true]),
        ("n-4", "fault-error_first", false, &[true]),
    ] {
        for &stream in streams {
            let what = format!("{chat} {messages} stream {stream}");
            let rig = rig("", chat, messages, chat_first);
            let ask = Ask::chat("m", stream).to("");
            let reading = rig.send(&ask);
            assert_eq!(reading.status, 200, "{what}: {}", reading.text());
            if stream {
                assert_eq!(words(&reading.text()), (4, true), "{what}");
            }
            let record = rig.record(&ask);
            assert_eq!(
                (record.outcome, record.attempts.len()),
                (Outcome::Ok, 2),
                "{what}"
            );
            let translated = reading.header("x-tollgate-translated").is_some();
            assert_eq!(
                translated, chat_first,
                "{what}: said of the answer's own route"
            );
        }
    }
}

#[test]
fn arms_of_an_experiment_may_speak_different_languages() {
    let rig = Rig::configured(
        "[models.m]\nroutes = [{ provider = \"oa\", model = \"sim:n-3\" }, \
         { provider = \"an\", model = \"sim:n-3\" }]\n\
         [experiments.tongues]\nmodel = \"m\"\na = { provider = \"oa\" }\nb = { provider = \"an\" }\nshare = 1\n",
    );
    let mut seen = BTreeMap::new();
    for session in 0..24 {
        let ask = Ask::chat("m", true).to("");
        let ask = ask.header("x-tollgate-session", &format!("s{session}"));
        assert_eq!(words(&rig.send(&ask).text()), (3, true));
        let record = rig.record(&ask);
        let enrolment = record.experiment.as_ref().unwrap();
        let arm = enrolment.assigned().unwrap().1.arm;
        let wanted = match arm {
            Arm::A => Language::OpenAiChat,
            Arm::B => Language::AnthropicMessages,
        };
        assert_eq!(spoken(&record), [wanted], "session {session}");
        *seen.entry(arm == Arm::A).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 2, "both arms were drawn: {seen:?}");
}
