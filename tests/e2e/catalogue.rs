//! Models by the catalogue's names: where they go, what lists say of them, and what a 404 says.

use serde_json::{Value, json};

use crate::support::{Ask, Rig};

fn rig() -> Rig {
    Rig::configured(
        r#"
        [providers.together]
        base_url = "http://{sim}/together/v1"
        api_key = "sk-CANARY-PROVIDER"
        [providers.fireworks]
        base_url = "http://{sim}/fireworks/v1"
        api_key = "sk-CANARY-PROVIDER"
        [models.pair]
        routes = [{ provider = "fireworks" }, { provider = "together", model = "sim:n-2" }]
        [catalogue.pair]
        context_length = 4096
        at = { fireworks = "sim:n-4", together = "sim:n-9" }
        [catalogue.little]
        family = "sims"
        at = { together = "sim:n-3", groq = "elsewhere" }
        released = "2026-01-02"
        context_length = 8192
        output_max = 1024
        [catalogue."sim:fault-not_found"]
        retired = "2026-02-03"
        "#,
    )
}

#[test]
fn a_name_of_the_catalogue_is_what_each_provider_calls_it() {
    let rig = rig();
    for (asked, provider, there) in [
        ("little", "together", "sim:n-3"),
        ("pair", "fireworks", "sim:n-4"),
    ] {
        let (reading, record, truth) = rig.exchange(&Ask::chat(asked, true).to(""));
        assert_eq!(reading.status, 200, "{asked}: {}", reading.text());
        assert_eq!(record.model.as_deref(), Some(asked));
        let attempt = &record.attempts[0];
        assert_eq!(attempt.provider.as_str(), provider);
        assert_eq!(attempt.model.as_deref(), Some(there));
        assert_eq!(truth.model.as_deref(), Some(there), "the name there");
    }
    // Named by its provider, a model's id is taken as it stands.
    let (_, record, _) = rig.exchange(&Ask::chat("sim:n-2", true).to("/together"));
    assert_eq!(record.attempts[0].model.as_deref(), Some("sim:n-2"));
}

#[test]
fn a_404_says_what_was_withdrawn_and_what_was_meant() {
    let rig = rig();
    for (asked, said) in [
        ("litle", "did you mean little?"),
        (
            "openai/gpt-4-turbo",
            "gpt-4-turbo is withdrawn by its maker on 2026-10-23",
        ),
    ] {
        let ask = Ask::chat(asked, false).to("");
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 404, "{asked}");
        let json: Value = serde_json::from_slice(&reading.body).unwrap();
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{asked}: {message}");
        rig.record(&ask);
    }
    // A provider's own 404 passes as it stands, with the hint beside it.
    let (reading, ..) = rig.exchange(&Ask::chat("sim:fault-not_found", false).to("/together"));
    assert_eq!(reading.status, 404, "{}", reading.text());
    let hint = reading.header("x-tollgate-hint").unwrap_or_default();
    assert!(
        hint.contains("withdrawn by its maker on 2026-02-03"),
        "{hint}"
    );
}

#[test]
fn the_list_of_models_says_what_is_known_of_them() {
    let rig = rig();
    let list = rig.send(&Ask::new("GET", "/v1/models").to(""));
    let list: Value = serde_json::from_slice(&list.body).unwrap();
    let entry = |id: &str| {
        let mut all = list["data"].as_array().unwrap().iter();
        all.find(|model| model["id"] == id)
            .unwrap_or_else(|| panic!("{id} is not in {list}"))
    };
    let pair = &entry("pair")["tollgate"];
    assert_eq!(pair["context_length"], 4096);
    assert_eq!(
        pair["routes"],
        json!(["fireworks/sim:n-4", "together/sim:n-2"])
    );
    let known = &entry("together/sim")["tollgate"];
    assert_eq!(
        (&known["provider"], &known["kind"]),
        (&json!("together"), &json!("direct"))
    );
    assert_eq!(known["price"], json!({"unknown": "no_price"}));
}

/// Google's SDK asks for `/v1/models` too, and reads other names.
#[test]
fn googles_clients_find_their_names_in_the_list() {
    let rig = rig();
    let get = |path: &str, header: Option<&str>| {
        let mut ask = Ask::new("GET", path).to("");
        if let Some(header) = header {
            ask = ask.header(header, "anything");
        }
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 200, "{path}: {}", reading.text());
        serde_json::from_slice::<Value>(&reading.body).unwrap()
    };
    for header in ["x-goog-api-key", "x-goog-api-client"] {
        let list = get("/v1/models", Some(header));
        let names = list["models"].as_array().unwrap().iter();
        let names: Vec<&Value> = names.map(|model| &model["name"]).collect();
        let ids = list["data"].as_array().unwrap().iter();
        let ids: Vec<Value> = ids
            .map(|model| json!(format!("models/{}", model["id"].as_str().unwrap())))
            .collect();
        assert_eq!(names, ids.iter().collect::<Vec<_>>());
        let one = get("/v1/models/together/sim", Some(header));
        assert_eq!(one["name"], "models/together/sim");
    }
    assert_eq!(get("/v1/models", None)["models"], Value::Null);
}

#[test]
fn one_model_is_told_however_its_slash_is_sent() {
    let rig = rig();
    for path in ["together/sim", "together%2Fsim", "together%2fs%69m"] {
        let (path, id) = (format!("/v1/models/{path}"), "together/sim");
        let reading = rig.send(&Ask::new("GET", &path).to(""));
        assert_eq!(reading.status, 200, "{path}: {}", reading.text());
        let model: Value = serde_json::from_slice(&reading.body).unwrap();
        assert_eq!(model["id"], id, "{path}");
    }
    for unknown in ["together%2Fno", "broken%2"] {
        let reading = rig.send(&Ask::new("GET", &format!("/v1/models/{unknown}")).to(""));
        assert_eq!(reading.status, 404, "{unknown}: {}", reading.text());
    }
}
