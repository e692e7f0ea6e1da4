//! Codes what was weighed when an exchange's route was chosen.

use crate::record::{Considered, Decision};

use super::super::names::NameTable;
use super::bytes::{Damaged, Presence, Read, Reader, Writer};

pub(super) fn write(w: &mut Writer<'_>, decision: &Decision) {
    let has = Presence::default()
        .put(decision.rule.is_some())
        .put(decision.explored)
        .put(decision.hedge.is_some());
    w.number(has.bits());
    for number in [decision.rule, decision.hedge].into_iter().flatten() {
        w.number(u64::from(number));
    }
    w.number(decision.routes.len() as u64);
    for route in &decision.routes {
        write_route(w, route);
    }
}

fn write_route(w: &mut Writer<'_>, route: &Considered) {
    let has = Presence::default()
        .put(route.model.is_some())
        .put(route.other_model)
        .put(route.score.is_some())
        .put(route.left_out.is_some());
    w.number(has.bits());
    w.name(&route.provider);
    if let Some(model) = &route.model {
        w.name(model);
    }
    if let Some(score) = route.score {
        w.signed(score);
    }
    w.number(u64::from(route.propensity));
    if let Some(why) = &route.left_out {
        w.name(why);
    }
}

pub(super) fn read<N: NameTable>(r: &mut Reader<'_, N>) -> Read<Decision> {
    let mut has = Presence::of(r.number()?);
    let (rule, explored, hedge) = (has.take(), has.take(), has.take());
    let rule = rule.then(|| r.narrow()).transpose()?;
    let hedge = hedge.then(|| r.narrow()).transpose()?;
    let count: usize = r.narrow()?;
    if count > Decision::ROUTES_MAX {
        return Err(Damaged);
    }
    let routes = (0..count)
        .map(|_| read_route(r))
        .collect::<Read<Vec<_>>>()?;
    Ok(Decision {
        routes,
        rule,
        explored,
        hedge,
    })
}

fn read_route<N: NameTable>(r: &mut Reader<'_, N>) -> Read<Considered> {
    let mut has = Presence::of(r.number()?);
    let (model, other_model, score, left_out) = (has.take(), has.take(), has.take(), has.take());
    Ok(Considered {
        provider: r.name()?,
        model: model.then(|| r.name()).transpose()?,
        other_model,
        score: score.then(|| r.signed()).transpose()?,
        propensity: r.narrow()?,
        left_out: left_out.then(|| r.name()).transpose()?,
    })
}
