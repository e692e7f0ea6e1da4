//! Reads the profiles of AWS's files. Pure: text in, sections out.

use std::collections::BTreeMap;

/// The keys of one section.
pub(super) type Section = BTreeMap<String, String>;

/// The sections of `~/.aws/config` and `~/.aws/credentials` together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profiles {
    profiles: BTreeMap<String, Section>,
    sessions: BTreeMap<String, Section>,
}

impl Profiles {
    /// The profiles of both texts; where both say a key, the credentials' word counts.
    pub(super) fn read(config: &str, credentials: &str) -> Self {
        let mut all = Self::default();
        for (name, section) in sections(config) {
            if let Some(session) = name.strip_prefix("sso-session ") {
                all.sessions
                    .entry(session.trim().to_owned())
                    .or_default()
                    .extend(section);
            } else if name == "default" {
                all.profiles.entry(name).or_default().extend(section);
            } else if let Some(profile) = name.strip_prefix("profile ") {
                all.profiles
                    .entry(profile.trim().to_owned())
                    .or_default()
                    .extend(section);
            }
        }
        for (name, section) in sections(credentials) {
            all.profiles.entry(name).or_default().extend(section);
        }
        all
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Section> {
        self.profiles.get(name)
    }

    /// An `sso-session`.
    pub(super) fn session(&self, name: &str) -> Option<&Section> {
        self.sessions.get(name)
    }
}

fn sections(text: &str) -> Vec<(String, Section)> {
    let mut all: Vec<(String, Section)> = Vec::new();
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let words: Vec<&str> = name.0.split_whitespace().collect();
            all.push((words.join(" ").replace('"', ""), Section::new()));
            continue;
        }
        // What is indented belongs to the key above (`s3 =`), and is nothing to us.
        if let (false, Some((_, section)), Some((key, value))) =
            (is_nested, all.last_mut(), line.split_once('='))
        {
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.split(" ;").next().unwrap_or_default();
            section.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_make_one_set_of_profiles() {
        let config = "# mine\n[default]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n\n\
            [profile work]\nrole_arn=arn:aws:iam::1:role/x # as agreed\nsource_profile = default\n\
            [profile \"two words\"]\nregion = us-east-1\n[sso-session corp]\nsso_region = eu-north-1\n\
            [work]\nregion = nowhere\n";
        let credentials = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = a=b=\n\
            [other]\nregion = x\n";
        let profiles = Profiles::read(config, credentials);
        let of = |name: &str, key: &str| profiles.profile(name)?.get(key).cloned();
        for (name, key, value) in [
            ("default", "region", Some("eu-west-1")),
            ("default", "aws_secret_access_key", Some("a=b=")),
            ("default", "addressing_style", None),
            ("work", "role_arn", Some("arn:aws:iam::1:role/x")),
            ("work", "region", None),
            ("two words", "region", Some("us-east-1")),
            ("other", "region", Some("x")),
            ("missing", "region", None),
        ] {
            assert_eq!(of(name, key).as_deref(), value, "{name} {key}");
        }
        assert_eq!(
            profiles.session("corp").unwrap()["sso_region"],
            "eu-north-1"
        );
    }
}
