//! Lays out what reports scan: one fixed-width row per exchange.

use crate::record::{
    End, ErrorClass, ExchangeId, ExchangeRecord, FinishReason, Language, Nanos, NoCost, NullReason,
    Oddity, Origin, Outcome, PicoDollars, Protocol, ProviderKind, TokenSource, Usage, WallTime,
};
use crate::statistics::{Figures, Metric, Rate};

use super::codec::exchange::asked_scope;
use super::codec::listed::Listed;
use super::codec::seal;
use super::keys;
use super::names::{NameId, Names, Scope};

/// The version of this layout, in every row's seal.
const SUMMARY: u8 = 1;

/// Bytes of a row.
pub(super) const SUMMARY_BYTES: usize = 100;

/// A row as it is on disk.
pub(super) type Row = [u8; SUMMARY_BYTES];

/// What reports ask of one exchange, without its detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The exchange.
    pub id: ExchangeId,
    /// Date of the request's first byte, as its id has it.
    pub started: WallTime,
    /// How it ended.
    pub outcome: Outcome,
    /// The error class of its last attempt.
    pub error_class: Option<ErrorClass>,
    /// How the body of its last attempt ended.
    pub end: Option<End>,
    /// Where it comes from.
    pub origin: Origin,
    /// The endpoint's language.
    pub language: Language,
    /// The provider of its last attempt.
    pub provider: NameId,
    /// Whether that is a router.
    pub kind: ProviderKind,
    /// The model's name there: with the provider, the route.
    pub route_model: NameId,
    /// The model asked for.
    pub model: NameId,
    /// The router's upstream that served.
    pub served_by: NameId,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether the provider held the stream back and sent it in one burst.
    pub pseudo_stream: bool,
    /// Whether the connection to the provider was reused.
    pub reused: bool,
    /// Whether the client read so slowly that it delayed the stream.
    pub backpressure: bool,
    /// Left out of latency: a background call.
    pub background: bool,
    /// Left out of latency: the answer came out of a cache.
    pub cached_answer: bool,
    /// It only warmed connections.
    pub warm_up: bool,
    /// HTTP version spoken with the client.
    pub client_protocol: Protocol,
    /// Attempts; 255 stands for more, too.
    pub attempts: u8,
    /// Stalls of the stream; 255 stands for more, too.
    pub stalls: u8,
    /// HTTP status sent to the client.
    pub status: Option<u16>,
    /// Why the model stopped, of the first choice.
    pub finish: Option<FinishReason>,
    /// The derived numbers, but for the time to first byte.
    pub figures: Figures,
    /// Tokens used.
    pub usage: Usage,
    /// Where the token counts come from.
    pub token_source: Option<TokenSource>,
    /// Cost by the price table.
    pub cost: Option<PicoDollars>,
    /// Why that is unknown.
    pub no_cost: Option<NoCost>,
    /// Cost that the provider reported.
    pub cost_billed: Option<PicoDollars>,
}

impl Summary {
    /// Whether its times may stand beside others'.
    #[must_use]
    pub const fn in_latency(&self) -> bool {
        !self.cached_answer && !self.background
    }

    /// The summary of `record`, its texts named in `names`.
    pub(super) fn of(record: &ExchangeRecord, figures: Figures, names: &mut Names) -> Self {
        let last = record.attempts.last();
        let gaps = last.and_then(|attempt| attempt.gaps.as_ref());
        let mut id = |name: Option<&str>, scope| match name {
            None => NameId::NONE,
            Some(name) => names.id(name, scope).unwrap_or(NameId::OTHER),
        };
        let route_model = last.and_then(|attempt| attempt.model.as_deref());
        Self {
            id: record.id,
            started: keys::date(record.id),
            outcome: record.outcome,
            error_class: last.and_then(|attempt| attempt.error_class),
            end: last.and_then(|attempt| attempt.end),
            origin: record.origin,
            language: record.language,
            provider: id(last.map(|attempt| &*attempt.provider), Scope::Core),
            kind: last.map_or(ProviderKind::Direct, |attempt| attempt.kind),
            route_model: id(route_model, asked_scope(record)),
            model: id(record.model.as_deref(), asked_scope(record)),
            served_by: id(
                last.and_then(|attempt| attempt.served_by.as_deref()),
                Scope::Core,
            ),
            stream: record.request.stream,
            pseudo_stream: gaps.is_some_and(|gaps| gaps.pseudo_stream),
            reused: last.is_some_and(|attempt| attempt.reused),
            backpressure: last
                .is_some_and(|attempt| attempt.oddities.contains(&Oddity::ClientBackpressure)),
            background: record.request.background,
            cached_answer: record.cached_answer,
            warm_up: record.active.as_ref().is_some_and(|active| active.warm_up),
            client_protocol: record.client_protocol,
            attempts: u8::try_from(record.attempts.len()).unwrap_or(u8::MAX),
            stalls: gaps.map_or(0, |gaps| u8::try_from(gaps.stalls).unwrap_or(u8::MAX)),
            status: record.status,
            finish: last.and_then(|attempt| attempt.finish.first().copied()),
            figures,
            usage: record.tokens.usage,
            token_source: record.tokens.source,
            cost: record.cost,
            no_cost: record.no_cost,
            cost_billed: record.cost_billed,
        }
    }

    /// The row of the summary.
    pub(super) fn encode(&self) -> Row {
        let mut row: Row = [0; SUMMARY_BYTES];
        row[0] = SUMMARY;
        let mut f = Fields {
            row: &mut row,
            at: seal::SEAL,
        };
        f.put(self.flags(), 1);
        f.put(u64::from(self.attempts), 1);
        f.put(u64::from(self.stalls), 1);
        f.listed(Some(self.outcome));
        f.listed(self.error_class);
        f.listed(self.end);
        f.listed(Some(self.origin));
        f.listed(Some(self.language));
        f.listed(self.finish);
        f.listed(self.token_source);
        // The flags are full, and no status of HTTP has four digits.
        let status = self.status.map_or(0, u64::from);
        let warm_up = self.warm_up && status <= STATUS_MAX;
        f.put(status | (u64::from(warm_up) * WARM_UP), 2);
        for id in self.names() {
            f.put(u64::from(id.0), 2);
        }
        let figures = &self.figures;
        for span in [
            figures.own_delay.ok_or(None),
            figures.first_token.map_err(Some),
            figures.first_answer.map_err(Some),
            figures.first_text.map_err(Some),
            figures.total.map_err(Some),
            figures.ttft_client.map_err(Some),
            figures.e2e_client.map_err(Some),
        ] {
            f.metric(span.map(|span| span.0), 6);
        }
        f.metric(figures.output_rate.map(|rate| rate.0).map_err(Some), 4);
        for count in self.counts() {
            f.metric(count.ok_or(None), 3);
        }
        f.number_or(self.cost.map(|cost| cost.0).ok_or(self.no_cost), 7);
        f.metric(self.cost_billed.map(|cost| cost.0).ok_or(None), 7);
        debug_assert_eq!(f.at, SUMMARY_BYTES);
        seal::close(&self.id.0, &mut row);
        row
    }

    /// The summary of a row; `None` where it is damaged.
    pub(super) fn decode(id: ExchangeId, row: &Row) -> Option<Self> {
        seal::check(&id.0, row).filter(|(version, _)| *version == SUMMARY)?;
        let mut f = Taken {
            row,
            at: seal::SEAL,
        };
        let flags = f.take(1);
        let flag = |bit: u32| flags >> bit & 1 == 1;
        let (attempts, stalls) = (f.take(1) as u8, f.take(1) as u8);
        let outcome = f.listed()?;
        let (error_class, end) = (f.listed(), f.listed());
        let (origin, language) = (f.listed()?, f.listed()?);
        let (finish, token_source) = (f.listed(), f.listed());
        let status = f.take(2);
        let bare = status & (WARM_UP - 1);
        let warm_up = bare != status && bare <= STATUS_MAX;
        let status = if warm_up { bare } else { status };
        let status = Some(status as u16).filter(|status| *status != 0);
        let mut ids = [NameId::NONE; 4];
        for id in &mut ids {
            *id = NameId(f.take(2) as u32);
        }
        let [provider, route_model, model, served_by] = ids;
        let figures = f.figures();
        let mut counts = [None; 5];
        for count in &mut counts {
            *count = f.metric(3).ok();
        }
        let [input, cached_read, cache_write, output, reasoning] = counts;
        let cost = f.number_or(7);
        Some(Self {
            id,
            started: keys::date(id),
            outcome,
            error_class,
            end,
            origin,
            language,
            provider,
            kind: [ProviderKind::Direct, ProviderKind::Router][usize::from(flag(0))],
            route_model,
            model,
            served_by,
            stream: flag(1),
            pseudo_stream: flag(2),
            reused: flag(3),
            backpressure: flag(4),
            background: flag(5),
            cached_answer: flag(6),
            warm_up,
            client_protocol: [Protocol::Http1, Protocol::Http2][usize::from(flag(7))],
            attempts,
            stalls,
            status,
            finish,
            figures,
            usage: Usage {
                input,
                cached_read,
                cache_write,
                output,
                reasoning,
                // Too rare for a place in every row: the detail has them.
                cache_write_1h: None,
                audio: None,
            },
            token_source,
            cost: cost.ok().map(PicoDollars),
            no_cost: cost.err().and_then(NoCost::at),
            cost_billed: f.metric(7).ok().map(PicoDollars),
        })
    }

    pub(super) const fn names(&self) -> [NameId; 4] {
        [self.provider, self.route_model, self.model, self.served_by]
    }

    pub(super) const fn names_mut(&mut self) -> [&mut NameId; 4] {
        [
            &mut self.provider,
            &mut self.route_model,
            &mut self.model,
            &mut self.served_by,
        ]
    }

    fn flags(&self) -> u64 {
        [
            self.kind == ProviderKind::Router,
            self.stream,
            self.pseudo_stream,
            self.reused,
            self.backpressure,
            self.background,
            self.cached_answer,
            self.client_protocol == Protocol::Http2,
        ]
        .into_iter()
        .enumerate()
        .fold(0, |bits, (at, flag)| bits | u64::from(flag) << at)
    }

    const fn counts(&self) -> [Option<u64>; 5] {
        let usage = &self.usage;
        [
            usage.input,
            usage.cached_read,
            usage.cache_write,
            usage.output,
            usage.reasoning,
        ]
    }
}

/// The bit of a status that says that an exchange only warmed connections,
const WARM_UP: u64 = 1 << 15;
/// where the status is none above this one.
const STATUS_MAX: u64 = 999;

/// The highest 256 values of a field mean that there is no number, and why.
const NO_REASON: u64 = 255;

struct Fields<'a> {
    row: &'a mut Row,
    at: usize,
}

impl Fields<'_> {
    fn put(&mut self, value: u64, width: usize) {
        self.row[self.at..self.at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.at += width;
    }

    fn listed<T: Listed>(&mut self, value: Option<T>) {
        self.put(value.map_or(NO_REASON, |value| u64::from(value.place())), 1);
    }

    /// A number, or the reason why there is none. One too large for its field is absent rather
    /// than wrong; the detail has it.
    fn metric(&mut self, value: Result<u64, Option<NullReason>>, width: usize) {
        self.number_or(value, width);
    }

    /// The same with reasons of any kind.
    fn number_or<T: Listed>(&mut self, value: Result<u64, Option<T>>, width: usize) {
        let absent = absent(width);
        match value {
            Ok(value) if value < absent => self.put(value, width),
            Ok(_) | Err(None) => self.put(absent + NO_REASON, width),
            Err(Some(reason)) => self.put(absent + u64::from(reason.place()), width),
        }
    }
}

struct Taken<'a> {
    row: &'a Row,
    at: usize,
}

impl Taken<'_> {
    fn take(&mut self, width: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(&self.row[self.at..self.at + width]);
        self.at += width;
        u64::from_le_bytes(bytes)
    }

    fn listed<T: Listed>(&mut self) -> Option<T> {
        T::at(self.take(1) as u8)
    }

    fn metric(&mut self, width: usize) -> Result<u64, NullReason> {
        self.number_or(width)
            .map_err(|reason| NullReason::at(reason).unwrap_or(NullReason::NoToken))
    }

    /// A number, or the place of the reason why there is none.
    fn number_or(&mut self, width: usize) -> Result<u64, u8> {
        let value = self.take(width);
        match value.checked_sub(absent(width)) {
            None => Ok(value),
            Some(reason) => Err(reason as u8),
        }
    }

    fn span(&mut self) -> Metric {
        self.metric(6).map(Nanos)
    }

    fn figures(&mut self) -> Figures {
        Figures {
            // Nobody compares routes by it: the detail has it.
            ttfb: None,
            own_delay: self.span().ok(),
            first_token: self.span(),
            first_answer: self.span(),
            first_text: self.span(),
            total: self.span(),
            ttft_client: self.span(),
            e2e_client: self.span(),
            output_rate: self.metric(4).map(Rate),
        }
    }
}

const fn absent(width: usize) -> u64 {
    (1 << (8 * width as u32)) - 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_reasons_share_a_field() {
        for width in [3, 4, 6, 7] {
            let mut row: Row = [0; SUMMARY_BYTES];
            let top = absent(width) - 1;
            let values = [
                Ok(0),
                Ok(1),
                Ok(top),
                Ok(u64::MAX),
                Err(Some(NullReason::WholeAnswer)),
                Err(Some(NullReason::Unreadable)),
                Err(None),
            ];
            let mut f = Fields {
                row: &mut row,
                at: 5,
            };
            for value in values {
                f.metric(value, width);
            }
            let mut f = Taken { row: &row, at: 5 };
            for value in values {
                let expected = match value {
                    Ok(value) if value > top => Err(NullReason::NoToken),
                    Ok(value) => Ok(value),
                    Err(reason) => Err(reason.unwrap_or(NullReason::NoToken)),
                };
                assert_eq!(f.metric(width), expected, "{width}");
            }
        }
    }
}
