//! Reads when a run began and how it ended out of the first bytes of its result, which may be large.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::analysis::tables::window::date;
use crate::record::WallTime;

/// Bytes that are read at most: exchanges, of which there may be many, stand at the end.
const READ_MAX: u64 = 256 * 1024;

/// What a result says of its run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub(super) began: Option<WallTime>,
    pub(super) ended: Option<WallTime>,
    pub(super) end: Option<String>,
    pub(super) seed: Option<u64>,
}

/// What the file says before the bytes that are read end, or what is no JSON begins.
pub(super) fn read(path: &Path) -> Head {
    let mut head = Head::default();
    if let Ok(file) = File::open(path) {
        let mut json = serde_json::Deserializer::from_reader(BufReader::new(file.take(READ_MAX)));
        // An end in the middle is the usual one: what came before it was taken.
        let _ = Into(&mut head).deserialize(&mut json);
    }
    head
}

/// Where fields are put as they come.
struct Into<'a>(&'a mut Head);

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the result of a run")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let head = self.0;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "began" => head.began = moment(&map.next_value()?),
                "ended" => head.ended = moment(&map.next_value()?),
                "end" => head.end = Some(map.next_value()?),
                "plan" | "settings" => {
                    let value: Value = map.next_value()?;
                    head.seed = value["seed"].as_u64();
                    return Err(A::Error::custom("all that is looked for is there"));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn moment(value: &Value) -> Option<WallTime> {
    date(value.as_str()?, WallTime(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_front_is_read_however_the_file_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("benchmark.json");
        let front = r#"{"schema": "x/1", "began": "2026-11-01T10:00:00Z",
            "ended": "2026-11-01T10:00:02.5Z", "end": "complete", "environment": {"cores": 2}, "#;
        let whole = Head {
            began: date("2026-11-01T10:00:00Z", WallTime(0)).ok(),
            ended: date("2026-11-01T10:00:02.5Z", WallTime(0)).ok(),
            end: Some("complete".to_owned()),
            seed: Some(7),
        };
        let unseeded = Head {
            seed: None,
            ..whole.clone()
        };
        let long = "x".repeat(READ_MAX as usize);
        for (text, expected) in [
            (
                format!("{front}\"plan\": {{\"seed\": 7}}, \"exchanges\": []}}"),
                whole.clone(),
            ),
            (
                format!("{front}\"settings\": {{\"seed\": 7}}, \"exchanges\": [{{"),
                whole,
            ),
            (
                format!("{front}\"plan\": {{\"prompts\": \"{long}\"}}}}"),
                unseeded.clone(),
            ),
            (front.to_owned(), unseeded.clone()),
            (format!("{front}\"plan\": 3}}"), unseeded),
            ("{".to_owned(), Head::default()),
            ("[1, 2]".to_owned(), Head::default()),
            (r#"{"began": 3, "end": null}"#.to_owned(), Head::default()),
            (String::new(), Head::default()),
        ] {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read(&path), expected, "{}", &text[..text.len().min(200)]);
        }
        assert_eq!(read(&folder.path().join("none")), Head::default());
    }
}
