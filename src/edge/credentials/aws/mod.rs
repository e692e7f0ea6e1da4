//! Gets AWS's access keys by its chain: environment, profiles, web identity, container, instance.

mod profile;

mod roles;

mod sso;

mod machine;

mod profiles;

use secrecy::SecretString;
use serde_json::Value;

use super::call::{Caller, said};
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
    if login.metadata.is_some()
        && let Some(done) = chain.step(machine::instance(login, caller).await)
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
        let found = machine::region(login, caller).await;
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
        // The instance's metadata refuse with status 200.
        let said = said(json);
        return Err(Miss::refused(format!(
            "an answer without access keys{said}"
        )));
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

/// A date as AWS, Google and programs that stand in for them write it: `2026-11-22T10:15:30Z`, with
/// parts of a second or without, in universal time or so far from it (`+01:00`).
pub(super) fn date(text: &str) -> Option<WallTime> {
    let (day, time) = text.trim().split_once('T')?;
    let mut parts = day.splitn(3, '-').map(str::parse::<i64>);
    let mut next = || parts.next()?.ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let day = WallTime::of_day(year, month, day)?;
    let (time, ahead) = zoned(time)?;
    let mut parts = time.splitn(3, ':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    let within =
        (0..24).contains(&hours) && (0..60).contains(&minutes) && (0.0..61.0).contains(&seconds);
    let seconds = hours * 3_600 + minutes * 60 + seconds as i64 - ahead;
    within.then(|| WallTime(day.0 + seconds * 1_000_000))
}

/// A time of day without its zone, and the seconds that the zone is ahead of universal time.
fn zoned(time: &str) -> Option<(&str, i64)> {
    // The last is AWS's command line, in files of its older versions.
    let universal = ["Z", "z", "UTC"];
    if let Some(time) = universal.iter().find_map(|zone| time.strip_suffix(zone)) {
        return Some((time, 0));
    }
    let (time, zone) = time.split_at(time.rfind(['+', '-'])?);
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let ahead = hours * 3_600 + minutes * 60;
    let is_zone = (0..24).contains(&hours) && (0..60).contains(&minutes);
    is_zone.then(|| (time, if zone.starts_with('-') { -ahead } else { ahead }))
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
            // As programs say it that look at the clock on the wall, and older command lines.
            ("2015-08-30T14:36:00+02:00", Some(1_440_938_160)),
            ("2015-08-30T08:06:00.5-04:30", Some(1_440_938_160)),
            ("2015-08-30T12:36:00UTC", Some(1_440_938_160)),
            ("2015-08-30T12:36:00z", Some(1_440_938_160)),
            ("2015-08-30T12:36:00+25:00", None),
            ("2015-08-30T12:36:00+", None),
            ("2015-08-30T12:36:00", None),
            ("2015-08-30 12:36:00", None),
            ("2015-13-30T12:36:00Z", None),
            ("soon", None),
        ] {
            assert_eq!(date(text).map(|at| at.0 / 1_000_000), seconds, "{text}");
        }
    }
}
