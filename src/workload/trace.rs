//! Reads traces of real traffic: when requests came, and how long they and their answers were.

use serde_json::Value;

use super::sizes::{LENGTH_MAX, Size};
use crate::record::{Nanos, WallTime};

/// The requests of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// When each came, from the first on, in rising order.
    pub offsets: Vec<Nanos>,
    /// How long each was.
    pub sizes: Vec<Size>,
}

/// What is wrong with a trace, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceFault {
    /// The line, counted from 1.
    pub line: usize,
    /// What stands there, and what should.
    pub what: String,
}

/// Seconds from the first request of a trace to its last, at most: a year.
const SPAN_MAX: i128 = 366 * 86_400;

/// A request: its moment in nanoseconds from anywhere, and the lengths of it and of its answer.
type Found = (i128, Option<u64>, Option<u64>);

/// The columns of the Azure LLM inference traces (Azure Public Dataset) and of `BurstGPT`: moment,
/// prompt, answer.
const COLUMNS: [[&str; 3]; 2] = [
    ["TIMESTAMP", "ContextTokens", "GeneratedTokens"],
    ["Timestamp", "Request tokens", "Response tokens"],
];

/// Where a table has what is read.
struct Columns {
    names: [&'static str; 3],
    places: [usize; 3],
    count: usize,
}

impl Trace {
    /// The trace of a text: CSV with the columns `TIMESTAMP`, `ContextTokens`, `GeneratedTokens`,
    /// or `Timestamp`, `Request tokens`, `Response tokens` (a date in UTC, or seconds), or a JSON
    /// object a line: with `timestamp` in milliseconds, `input_length` and `output_length`, or as
    /// `tollgate export` writes them. Requests in another order than that of time are sorted.
    pub fn read(text: &str) -> Result<Self, TraceFault> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let Some((first, head)) = lines.next() else {
            return Err(fault(0, "no line, expected requests"));
        };
        let found: Vec<Option<Found>> = if head.trim_start().starts_with('{') {
            std::iter::once((first, head))
                .chain(lines)
                .map(|(line, text)| of_json(line, text))
                .collect::<Result<_, _>>()?
        } else if let Some(columns) = Columns::of(head) {
            lines
                .map(|(line, text)| columns.read(line, text).map(Some))
                .collect::<Result<_, _>>()?
        } else {
            let [azure, burst] = COLUMNS.map(|columns| columns.join(","));
            let what = format!(
                "neither the columns {azure} nor {burst} nor a JSON object: {}",
                shown(head)
            );
            return Err(fault(first, &what));
        };
        let all: Vec<Found> = found.into_iter().flatten().collect();
        let ends = all.iter().map(|(at, ..)| *at);
        let (Some(zero), Some(last)) = (ends.clone().min(), ends.max()) else {
            return Err(fault(first, "the columns, and no request below them"));
        };
        if last - zero > SPAN_MAX * 1_000_000_000 {
            let what =
                "its requests are over a year apart: JSON has milliseconds, CSV dates or seconds";
            return Err(fault(first, what));
        }
        let unknown = || fault(first, "no request has lengths");
        let (trace, _) = Self::filled(all).ok_or_else(unknown)?;
        Ok(trace)
    }

    /// Each request in the order of time. One whose length is not known is as long as the one
    /// before it (the first known one where there is none); the second number says how many of
    /// those there are. Nothing where no length is known at all.
    fn filled(mut all: Vec<Found>) -> Option<(Self, usize)> {
        all.sort_by_key(|(at, ..)| *at);
        let zero = all.first()?.0;
        let mut input = all.iter().find_map(|(_, input, _)| *input)?;
        let mut output = all.iter().find_map(|(.., output)| *output)?;
        let (mut trace, mut unknown) = (Self::default(), 0);
        for (at, its_input, its_output) in all {
            unknown += usize::from(its_input.is_none() || its_output.is_none());
            input = its_input.unwrap_or(input).min(LENGTH_MAX);
            output = its_output.unwrap_or(output).min(LENGTH_MAX);
            let offset = u64::try_from(at - zero).unwrap_or(u64::MAX);
            trace.offsets.push(Nanos(offset));
            trace.sizes.push(size(input, output));
        }
        Some((trace, unknown))
    }

    /// The same requests, coming so many times as fast.
    #[must_use]
    pub fn faster(mut self, times: f64) -> Self {
        for offset in &mut self.offsets {
            *offset = Nanos((offset.0 as f64 / times) as u64);
        }
        self
    }

    /// The requests as JSON lines that [`Self::read`] reads back: moments are kept to the
    /// microsecond.
    #[must_use]
    pub fn json_lines(&self) -> String {
        let lines = self.offsets.iter().zip(&self.sizes);
        let line = |(at, size): (&Nanos, &Size)| {
            format!(
                "{{\"timestamp\":{}.{:03},\"input_length\":{},\"output_length\":{}}}\n",
                at.0 / 1_000_000,
                at.0 / 1_000 % 1_000,
                size.input_tokens,
                size.output_tokens
            )
        };
        lines.map(line).collect()
    }

    /// The trace of what was recorded, in any order: when each request came, and its lengths as
    /// far as they are known. One whose length is not known is as long as the one before it (the
    /// first known one where there is none); the second number says how many of those there are.
    /// Nothing where no length is known at all.
    #[must_use]
    pub fn recorded(all: Vec<(WallTime, Option<u64>, Option<u64>)>) -> Option<(Self, usize)> {
        let each = all.into_iter();
        let found = each.map(|(at, input, output)| (i128::from(at.0) * 1_000, input, output));
        Self::filled(found.collect())
    }

    /// The span from the first request to the last.
    #[must_use]
    pub fn length(&self) -> Nanos {
        self.offsets.last().copied().unwrap_or_default()
    }
}

fn fault(index: usize, what: &str) -> TraceFault {
    TraceFault {
        line: index + 1,
        what: what.to_owned(),
    }
}

/// The beginning of a line that cannot be read.
fn shown(line: &str) -> String {
    line.chars().take(60).collect()
}

impl Columns {
    /// Those of a head, where it has all three.
    fn of(head: &str) -> Option<Self> {
        let all: Vec<&str> = head.trim().split(',').map(str::trim).collect();
        let place = |name: &str| all.iter().position(|column| *column == name);
        COLUMNS.into_iter().find_map(|names| {
            let [at, input, output] = names.map(place);
            Some(Self {
                names,
                places: [at?, input?, output?],
                count: all.len(),
            })
        })
    }

    fn read(&self, line: usize, text: &str) -> Result<Found, TraceFault> {
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        if fields.len() != self.count {
            let what = format!("{} fields, expected {}", fields.len(), self.count);
            return Err(fault(line, &what));
        }
        let [when, input, output] = self.places.map(|place| fields[place]);
        let at = moment(when).ok_or_else(|| {
            let what = format!(
                "{}: {}, expected a date or seconds",
                self.names[0],
                shown(when)
            );
            fault(line, &what)
        })?;
        let count = |name: &str, text: &str| {
            let count: u64 = text.parse().map_err(|_| {
                let what = format!("{name}: {}, expected a whole number", shown(text));
                fault(line, &what)
            })?;
            no_longer(line, name, count as f64).map(|()| Some(count))
        };
        let (input, output) = (count(self.names[1], input)?, count(self.names[2], output)?);
        Ok((at, input, output))
    }
}

/// A request of `tollgate export`; nothing of one that no model took.
fn of_export(line: usize, value: &Value, started: &str) -> Result<Option<Found>, TraceFault> {
    if ["rejected", "client_error"]
        .map(Some)
        .contains(&value["outcome"].as_str())
    {
        return Ok(None);
    }
    let at = moment(started).ok_or_else(|| {
        let what = format!("started: {}, expected a date", shown(started));
        fault(line, &what)
    })?;
    let tokens = &value["tokens"];
    let estimated = &value["request"]["prompt_tokens_estimated"];
    let input = tokens["input"].as_u64().or_else(|| estimated.as_u64());
    Ok(Some((at, input, tokens["output"].as_u64())))
}

fn of_json(line: usize, text: &str) -> Result<Option<Found>, TraceFault> {
    let value: Value = serde_json::from_str(text)
        .map_err(|_| fault(line, &format!("no JSON object: {}", shown(text))))?;
    if let (None, Some(started)) = (value.get("timestamp"), value["started"].as_str()) {
        return of_export(line, &value, started);
    }
    let number = |key: &str| {
        let found = value.get(key).and_then(Value::as_f64);
        found.filter(|number| *number >= 0.0).ok_or_else(|| {
            let what = value
                .get(key)
                .map_or("nothing".to_owned(), Value::to_string);
            fault(
                line,
                &format!("{key}: {}, expected a number, zero or more", shown(&what)),
            )
        })
    };
    let at = number("timestamp")?;
    if at > MOMENT_MAX * 1e3 {
        let what = format!("timestamp: {at}, expected milliseconds of a date");
        return Err(fault(line, &what));
    }
    let at = (at * 1e6) as i128;
    let (input, output) = (number("input_length")?, number("output_length")?);
    for (name, count) in [("input_length", input), ("output_length", output)] {
        no_longer(line, name, count)?;
    }
    Ok(Some((at, Some(input as u64), Some(output as u64))))
}

/// Whether any model takes so many tokens.
fn no_longer(line: usize, name: &str, count: f64) -> Result<(), TraceFault> {
    if count <= LENGTH_MAX as f64 {
        return Ok(());
    }
    let what =
        format!("{name}: {count:e}, more tokens than any model takes ({LENGTH_MAX} at most)");
    Err(fault(line, &what))
}

/// No request is empty, and none may be answered with nothing.
fn size(input: u64, output: u64) -> Size {
    Size {
        input_tokens: input.max(1),
        output_tokens: output.max(1),
    }
}

/// Seconds of a moment at most, as a number: those of the year 5138.
const MOMENT_MAX: f64 = 1e11;

/// Nanoseconds of `2023-11-16 18:17:03.9799600`, or of a number of seconds.
fn moment(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<f64>() {
        let fits = seconds.abs() <= MOMENT_MAX;
        return fits.then_some((seconds * 1e9).round() as i128);
    }
    let (date, time) = text.split_once([' ', 'T'])?;
    let mut of_date = date.split('-').map(str::parse::<i64>);
    let mut part = || of_date.next()?.ok();
    let day = WallTime::of_day(part()?, part()?, part()?)?;
    let time = time.trim_end_matches('Z').trim_end_matches("+00:00");
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut of_time = time.split(':').map(str::parse::<i64>);
    let mut part = || of_time.next()?.ok();
    let (hours, minutes, seconds) = (part()?, part()?, part()?);
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanos: i64 = digits.parse().ok()?;
    let seconds = day.as_secs() + hours * 3_600 + minutes * 60 + seconds;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_both_shapes_are_read() {
        let csv = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                   2023-11-16 18:17:03.9799600,4808,10\n\
                   2023-11-16 18:17:04.0319600,3180,0\n\
                   2023-11-17 18:17:03.9799600,7,8\n";
        let json = "{\"timestamp\": 27000, \"input_length\": 3180, \"output_length\": 0}\n\
                    {\"timestamp\": 26948, \"input_length\": 4808, \"output_length\": 10, \
                     \"hash_ids\": [1, 2]}\n\
                    {\"timestamp\": 86426948, \"input_length\": 7, \"output_length\": 8}\n";
        let expected = Trace {
            offsets: vec![
                Nanos(0),
                Nanos::from_millis(52),
                Nanos::from_millis(86_400_000),
            ],
            sizes: vec![size(4808, 10), size(3180, 1), size(7, 8)],
        };
        assert_eq!(Trace::read(csv), Ok(expected.clone()));
        assert_eq!(Trace::read(json), Ok(expected.clone()));
        let burst = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
                     5,ChatGPT,4808,10,4818,Conversation log\n\
                     5.052,GPT-4,3180,0,3180,API log\n\
                     86405,GPT-4,7,8,15,API log\n";
        assert_eq!(Trace::read(burst), Ok(expected.clone()));
        let export = "{\"started\":\"2023-11-16T18:17:03.979960Z\",\"outcome\":\"ok\",\"tokens\":{\"input\":4808,\"output\":10}}\n\
                      {\"started\":\"2023-11-16T18:17:04.000000Z\",\"outcome\":\"rejected\",\"tokens\":{\"input\":null}}\n\
                      {\"started\":\"2023-11-16T18:17:04.031960Z\",\"outcome\":\"empty\",\"tokens\":{\"input\":null,\"output\":0},\"request\":{\"prompt_tokens_estimated\":3180}}\n\
                      {\"started\":\"2023-11-17T18:17:03.979960Z\",\"outcome\":\"ok\",\"tokens\":{\"input\":7,\"output\":8}}\n";
        assert_eq!(Trace::read(export), Ok(expected.clone()));
        let unknown =
            "{\"started\":\"2023-11-16T18:17:03Z\",\"outcome\":\"stalled\",\"tokens\":{}}";
        assert!(
            Trace::read(unknown)
                .unwrap_err()
                .what
                .contains("no request has lengths")
        );
        assert_eq!(Trace::read(&expected.json_lines()), Ok(expected.clone()));
        let fast = expected.faster(2.0);
        assert_eq!(fast.offsets[1], Nanos::from_millis(26));
        assert_eq!(fast.length(), Nanos::from_millis(43_200_000));
    }

    #[test]
    fn what_was_recorded_is_a_trace() {
        let at = |seconds: i64| WallTime(1_700_000_000_000_000).plus_secs(seconds);
        let all = vec![
            (at(9), None, Some(7)),
            (at(0), None, None),
            (at(2), Some(100), Some(0)),
            (at(2), Some(300), None),
        ];
        let (trace, unknown) = Trace::recorded(all).unwrap();
        assert_eq!(unknown, 3);
        let seconds = |seconds: u64| Nanos(seconds * 1_000_000_000);
        assert_eq!(trace.offsets, [0, 2, 2, 9].map(seconds));
        assert_eq!(
            trace.sizes,
            [size(100, 1), size(100, 1), size(300, 1), size(300, 7)]
        );
        assert_eq!(Trace::recorded(Vec::new()), None);
        assert_eq!(Trace::recorded(vec![(at(0), Some(1), None)]), None);
    }

    #[test]
    fn what_is_no_trace_is_told_by_its_line() {
        let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
        for (text, line, part) in [
            ("", 1, "no line"),
            ("a,b\n", 1, "neither the columns"),
            (head, 1, "no request"),
            (&format!("{head}2023-11-16 18:17:03,1\n"), 2, "2 fields"),
            (
                &format!("{head}\n2023-13-16 18:17:03,1,2\n"),
                3,
                "TIMESTAMP",
            ),
            (&format!("{head}1.5,1,2\n1.6,x,2\n"), 3, "ContextTokens: x"),
            ("{\"timestamp\": 1}\n", 1, "input_length: nothing"),
            (
                "{\"timestamp\":1,\"input_length\":1,\"output_length\":1}\n{\n",
                2,
                "no JSON",
            ),
            (
                "{\"timestamp\":0,\"input_length\":1e30,\"output_length\":1}\n",
                1,
                "input_length: 1e30, more tokens than any model takes",
            ),
            (
                "{\"timestamp\":1e30,\"input_length\":1,\"output_length\":1}\n",
                1,
                "timestamp: 1",
            ),
            (
                &format!("{head}1,1,2\n2,1,10000001\n"),
                3,
                "GeneratedTokens: 1",
            ),
            (&format!("{head}-1e300,1,2\n"), 2, "TIMESTAMP"),
            (&format!("{head}0,1,2\n1e10,1,2\n"), 1, "a year apart"),
        ] {
            let fault = Trace::read(text).unwrap_err();
            assert_eq!(fault.line, line, "{text}: {fault:?}");
            assert!(fault.what.contains(part), "{text}: {fault:?}");
        }
    }
}
