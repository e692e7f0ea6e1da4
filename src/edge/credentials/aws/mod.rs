//! Gets AWS's access keys by its chain: environment, profiles, web identity, container, instance.

mod profile;

mod roles;

mod sso;

mod machine;

mod profiles;

use secrecy::SecretString;
use serde_json::Value;

use super::call::Caller;
use super::material::{Chain, Got, Material, Miss, SigningKeys};
use crate::config::credentials::{AwsKeys, AwsLogin};
use crate::record::WallTime;

/// The keys of the first step that has some, in the order of AWS's own SDKs.
pub(super) async fn keys(login: &AwsLogin, caller: &Caller) -> Result<Got, Miss> {
    let mut chain = Chain::default();
    if !login.only_profile {
        let environment = match &login.keys {
            Some(keys) => Ok(of_environment(keys)),
            None => Err(Miss::Absent("environment: no AWS_ACCESS_KEY_ID".to_owned())),
        };
        if let Some(done) = chain.step(environment) {
            return done;
        }
    }
    let named = profiles::keys(login, caller).await;
    // Whoever names a profile means it.
    let named = match named {
        Err(Miss::Absent(why)) if login.only_profile => Err(Miss::refused(why)),
        other => other,
    };
    if let Some(done) = chain.step(named) {
        return done;
    }
    let web = match &login.web_identity {
        Some(web) => roles::by_web_identity(web, &login.region, caller)
            .await
            .map_err(|miss| miss.of("web identity")),
        None => Err(Miss::Absent(
            "web identity: no AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(),
        )),
    };
    if let Some(done) = chain.step(web) {
        return done;
    }
    if let Some(done) = chain.step(machine::container(login.container.as_ref(), caller).await) {
        return done;
    }
    if login.metadata
        && let Some(done) = chain.step(machine::instance(caller).await)
    {
        return done;
    }
    let hint = "run `aws sso login`, or set AWS_PROFILE, AWS_ACCESS_KEY_ID or \
                AWS_BEARER_TOKEN_BEDROCK";
    Err(chain.nothing("AWS credentials", hint))
}

/// The region that a login names, or that of the instance.
pub(super) async fn region(login: &AwsLogin, caller: &Caller) -> Result<String, Miss> {
    if login.region.is_empty() {
        let found = machine::region(caller).await;
        return found.map_err(|miss| miss.of("AWS_REGION is not set, and the instance"));
    }
    Ok(login.region.clone())
}

fn of_environment(keys: &AwsKeys) -> Got {
    Got {
        material: Material::Keys(SigningKeys {
            id: keys.id.clone(),
            secret: keys.secret.clone(),
            token: keys.token.clone(),
        }),
        expires: None,
    }
}

/// Keys that somebody answered in JSON, under the names that they have there.
fn answered(
    json: &Value,
    [id, secret, token]: [&str; 3],
    expires: Option<WallTime>,
) -> Result<Got, Miss> {
    let text = |name: &str| json[name].as_str().filter(|text| !text.is_empty());
    let (Some(id), Some(secret)) = (text(id), text(secret)) else {
        return Err(Miss::refused("an answer without access keys"));
    };
    Ok(Got {
        material: Material::Keys(SigningKeys {
            id: id.to_owned(),
            secret: SecretString::from(secret),
            token: text(token).map(SecretString::from),
        }),
        expires,
    })
}

/// A date as AWS and Google write it: `2026-11-22T10:15:30Z`, with parts of a second or without.
pub(super) fn date(text: &str) -> Option<WallTime> {
    let (day, time) = text.trim().split_once('T')?;
    let mut parts = day.splitn(3, '-').map(str::parse::<i64>);
    let mut next = || parts.next()?.ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let day = WallTime::of_day(year, month, day)?;
    let time = time
        .strip_suffix('Z')
        .or_else(|| time.strip_suffix("+00:00"))?;
    let mut parts = time.splitn(3, ':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    let within =
        (0..24).contains(&hours) && (0..60).contains(&minutes) && (0.0..61.0).contains(&seconds);
    within.then(|| WallTime(day.0 + (hours * 3_600 + minutes * 60 + seconds as i64) * 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_aws_writes_them() {
        for (text, seconds) in [
            ("2015-08-30T12:36:00Z", Some(1_440_938_160)),
            ("2015-08-30T12:36:00.123Z", Some(1_440_938_160)),
            ("2015-08-30T12:36:00+00:00", Some(1_440_938_160)),
            ("2015-08-30 12:36:00", None),
            ("2015-13-30T12:36:00Z", None),
            ("soon", None),
        ] {
            assert_eq!(date(text).map(|at| at.0 / 1_000_000), seconds, "{text}");
        }
    }
}
