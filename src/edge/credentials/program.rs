//! Gets the token of another identity from a program that a file of type `external_account` names.
//!
//! The formats are those of <https://google.aip.dev/auth/4117>.

use std::time::Duration;

use serde_json::Value;

use super::command::{told, words};
use super::material::Miss;
use crate::config::credentials::GoogleLogin;
use crate::record::WallTime;

/// How long a program may run where the file does not say.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the program of `json` prints, or what it left in its file and holds still.
pub(super) async fn subject_token(
    json: &Value,
    login: &GoogleLogin,
    now: WallTime,
) -> Result<String, Miss> {
    if !login.runs_programs {
        let why = "names a program, and none is run unless \
                   GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 is set, as Google's own libraries \
                   have it";
        return Err(Miss::refused(why));
    }
    let source = &json["credential_source"]["executable"];
    let kept = source["output_file"].as_str().unwrap_or_default();
    if let Ok(text) = std::fs::read_to_string(kept)
        && let Ok(token) = said(&text, true, now)
    {
        return Ok(token);
    }
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    let stands_for = text("service_account_impersonation_url");
    let email = stands_for.rsplit('/').next().unwrap_or_default();
    let email = email.split(':').next().unwrap_or_default();
    let mut variables = vec![
        ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", text("audience")),
        (
            "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE",
            text("subject_token_type"),
        ),
        ("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "0"),
    ];
    for (name, value) in [
        ("GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL", email),
        ("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", kept),
    ] {
        if !value.is_empty() {
            variables.push((name, value));
        }
    }
    let line = source["command"].as_str().unwrap_or_default();
    let patience = source["timeout_millis"].as_u64();
    let patience = patience.map_or(PATIENCE, Duration::from_millis);
    let printed = told(&words(line), &variables, patience).await?;
    said(&printed, !kept.is_empty(), now)
}

/// The token in what a program says. `dated`: it has to say until when the token holds.
fn said(text: &str, dated: bool, now: WallTime) -> Result<String, Miss> {
    let json: Value =
        serde_json::from_str(text).map_err(|_| Miss::refused("it printed no JSON"))?;
    if json["version"].as_u64() != Some(1) {
        return Err(Miss::refused("`version` is not 1"));
    }
    if json["success"] != true {
        // Both are for people; neither is a credential.
        let (code, why) = (&json["code"], &json["message"]);
        return Err(Miss::refused(format!("it failed: {code} {why}")));
    }
    let over = json["expiration_time"]
        .as_i64()
        .map(|at| at.saturating_mul(1_000_000) <= now.0);
    match over {
        Some(true) => return Err(Miss::refused("its token has run out")),
        None if dated => return Err(Miss::refused("`expiration_time` is missing")),
        Some(false) | None => {}
    }
    let name = match json["token_type"].as_str().unwrap_or_default() {
        "urn:ietf:params:oauth:token-type:jwt" | "urn:ietf:params:oauth:token-type:id_token" => {
            "id_token"
        }
        "urn:ietf:params:oauth:token-type:saml2" => "saml_response",
        _ => return Err(Miss::refused("`token_type` is none that is known here")),
    };
    let token = json[name].as_str().filter(|token| !token.is_empty());
    token
        .map(str::to_owned)
        .ok_or_else(|| Miss::refused(format!("`{name}` is missing")))
}
