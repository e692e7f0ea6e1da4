//! Codes timelines and gap sketches: differences are shorter than moments.

use crate::record::{Bins, Gaps, Mark, Moment, Nanos, Timeline};

use super::super::names::NameTable;
use super::bytes::{Read, Reader, Writer};

/// Writes the marks that came, each as the difference to the one before in the street.
pub(super) fn write_timeline(w: &mut Writer<'_>, timeline: &Timeline, zero: Moment) {
    let bits = timeline
        .iter()
        .fold(0_u64, |bits, (mark, _)| bits | 1 << (mark as u8));
    w.shape(bits);
    let mut before = zero.0;
    for (_, at) in timeline.iter() {
        // Wrapping, so that any two moments have a difference.
        w.signed(at.0.wrapping_sub(before) as i64);
        before = at.0;
    }
}

/// Reads what [`write_timeline`] wrote.
pub(super) fn read_timeline<N: NameTable>(r: &mut Reader<'_, N>, zero: Moment) -> Read<Timeline> {
    let bits = r.shape()?;
    let mut timeline = Timeline::default();
    let mut before = zero.0;
    for mark in Mark::ALL {
        if bits >> (mark as u8) & 1 == 1 {
            before = before.wrapping_add(r.signed()? as u64);
            timeline.set(mark, Moment(before));
        }
    }
    Ok(timeline)
}

/// Writes what lay between token events.
pub(super) fn write_gaps(w: &mut Writer<'_>, gaps: &Gaps) {
    w.number(u64::from(gaps.token_events));
    w.number(u64::from(gaps.token_reads));
    w.number(u64::from(gaps.first_event_tokens));
    write_bins(w, &gaps.sketch);
    w.number(gaps.longest.0);
    w.number(u64::from(gaps.stalls));
    w.number(gaps.stalled.0);
    w.number(u64::from(gaps.burst_permille) << 1 | u64::from(gaps.pseudo_stream));
}

/// Reads what [`write_gaps`] wrote.
pub(super) fn read_gaps<N: NameTable>(r: &mut Reader<'_, N>) -> Read<Gaps> {
    let mut gaps = Gaps {
        token_events: r.narrow()?,
        token_reads: r.narrow()?,
        first_event_tokens: r.narrow()?,
        sketch: read_bins(r)?,
        longest: Nanos(r.number()?),
        stalls: r.narrow()?,
        stalled: Nanos(r.number()?),
        ..Gaps::default()
    };
    let burst: u32 = r.narrow()?;
    gaps.burst_permille = (burst >> 1) as u16;
    gaps.pseudo_stream = burst & 1 == 1;
    Ok(gaps)
}

/// Writes a histogram: most bins are neighbours and hold one value, which then is one byte.
pub(super) fn write_bins(w: &mut Writer<'_>, bins: &Bins) {
    w.number(bins.zeros);
    let mut before = 0_i64;
    w.list(&bins.bins, |w, (index, count)| {
        let step = i64::from(*index) - before;
        before = i64::from(*index);
        let zigzag = ((step << 1) ^ (step >> 63)) as u64;
        w.number(zigzag << 1 | u64::from(*count != 1));
        if *count != 1 {
            w.number(*count);
        }
    });
}

/// Reads what [`write_bins`] wrote.
pub(super) fn read_bins<N: NameTable>(r: &mut Reader<'_, N>) -> Read<Bins> {
    let zeros = r.number()?;
    let mut before = 0_i64;
    let bins = r.list(|r| {
        let head = r.number()?;
        let zigzag = head >> 1;
        before = before.wrapping_add((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
        let count = if head & 1 == 1 { r.number()? } else { 1 };
        Ok((before as i32, count))
    })?;
    Ok(Bins { zeros, bins })
}
