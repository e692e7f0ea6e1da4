//! Codes what an exchange of our own making is part of.

use crate::record::{Active, Moment, Pair};

use super::super::names::NameTable;
use super::bytes::{Presence, Read, Reader, Writer};

pub(super) fn write(w: &mut Writer<'_>, active: &Active, zero: Moment) {
    let has = Presence::default()
        .put(active.warm_up)
        .put(active.pair.is_some())
        .put(active.item.is_some())
        .put(active.intended.is_some())
        .put(active.cold);
    w.number(has.bits());
    w.name(&active.run);
    for number in [active.round, active.trial] {
        w.number(u64::from(number));
    }
    if let Some(pair) = active.pair {
        w.number(u64::from(pair.number));
        w.byte(pair.order);
    }
    if let Some(item) = &active.item {
        w.name(item);
    }
    if let Some(intended) = active.intended {
        w.signed(intended.0.wrapping_sub(zero.0) as i64);
    }
}

pub(super) fn read<N: NameTable>(r: &mut Reader<'_, N>, zero: Moment) -> Read<Active> {
    let mut has = Presence::of(r.number()?);
    let warm_up = has.take();
    let (paired, item, intended) = (has.take(), has.take(), has.take());
    // Not set in rows that are older than it.
    let cold = has.take();
    Ok(Active {
        warm_up,
        cold,
        run: r.name()?,
        round: r.narrow()?,
        trial: r.narrow()?,
        pair: paired
            .then(|| {
                Ok(Pair {
                    number: r.narrow()?,
                    order: r.byte()?,
                })
            })
            .transpose()?,
        item: item.then(|| r.name()).transpose()?,
        intended: intended
            .then(|| Ok(Moment(zero.0.wrapping_add(r.signed()? as u64))))
            .transpose()?,
    })
}
