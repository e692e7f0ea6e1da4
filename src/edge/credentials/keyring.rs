//! Keeps the credentials that were got: renewed ahead of their end, asked for by one at a time,
//! and after a failure not asked for again at once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::call::Caller;
use super::material::{CredentialFault, Got, Material, Miss};
use super::{aws, command, entra, google};
use crate::clock::Clock;
use crate::config::credentials::CredentialFrom;
use crate::edge::upstream::ProxyRules;
use crate::edge::upstream::pool::TlsConfigs;
use crate::record::{Moment, Nanos, WallTime};

const SECOND: i64 = 1_000_000;
/// How long before its end a credential is renewed, at most; at least a fifth of its life.
const AHEAD: i64 = 300 * SECOND;
/// How long before its end it is not used any more: the way to the provider takes a while.
const TOO_LATE: i64 = 5 * SECOND;
/// A renewal that brought nothing newer is not tried again before.
const RENEWED_MIN: i64 = 30 * SECOND;
/// A credential that is refused within this time is not old, but wrong.
const FRESH: i64 = 10 * SECOND;
/// The first pause after a failure; it doubles with each, up to the last one.
const PAUSE: Nanos = Nanos::from_millis(1_000);
const PAUSE_MAX: Nanos = Nanos::from_millis(60_000);
/// How long getting one may take, with all its steps.
const PATIENCE: Duration = Duration::from_secs(40);

/// Credentials that were got, shared by all workers.
#[derive(Debug)]
pub struct Keyring {
    caller: Caller,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// The place of one credential.
#[derive(Debug, Default)]
struct Slot {
    held: Mutex<Held>,
    /// Held by whoever gets it.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    kept: Option<Kept>,
    failed: Option<Failed>,
}

#[derive(Debug, Clone)]
struct Kept {
    material: Arc<Material>,
    got: WallTime,
    renew: Option<WallTime>,
    expires: Option<WallTime>,
}

#[derive(Debug, Clone)]
struct Failed {
    fault: CredentialFault,
    times: u32,
    until: Moment,
}

/// What a slot has to offer.
enum Offer {
    /// This.
    Ready(Arc<Material>),
    /// This, and it should be renewed meanwhile.
    Ageing(Arc<Material>),
    /// Nothing, and it is too early to ask again.
    Failed(CredentialFault),
    /// Nothing.
    Empty,
}

impl Keyring {
    /// An empty keyring. `instead` is asked in the place of every server there is: for tests.
    #[must_use]
    pub fn new(
        proxies: ProxyRules,
        tls: TlsConfigs,
        clock: Clock,
        instead: Option<SocketAddr>,
    ) -> Self {
        Self {
            caller: Caller::new(proxies, tls, clock, instead),
            slots: Mutex::default(),
        }
    }

    /// The credential that `from` leads to: a kept one, or one that is got now.
    pub async fn get(
        self: &Arc<Self>,
        from: &CredentialFrom,
    ) -> Result<Arc<Material>, CredentialFault> {
        let slot = self.slot(from);
        match slot.offer(&self.caller.clock) {
            Offer::Ready(material) => return Ok(material),
            Offer::Ageing(material) => {
                self.renew(from.clone(), slot);
                return Ok(material);
            }
            Offer::Failed(fault) => return Err(fault),
            Offer::Empty => {}
        }
        // A task of its own: who asks may leave, and what was begun at a login's server goes on to
        // its end, where a token may have been used up for it.
        let (keyring, from) = (Arc::clone(self), from.clone());
        let getting = tokio::spawn(async move { keyring.first(&from, &slot).await });
        getting.await.unwrap_or_else(|_| {
            Err(CredentialFault {
                message: "tollgate stopped while it was got".to_owned(),
                is_passing: true,
            })
        })
    }

    /// Gets a credential that is not there, unless whoever was before has got it, or failed.
    async fn first(
        &self,
        from: &CredentialFrom,
        slot: &Slot,
    ) -> Result<Arc<Material>, CredentialFault> {
        let _flight = slot.flight.lock().await;
        match slot.offer(&self.caller.clock) {
            Offer::Ready(material) | Offer::Ageing(material) => Ok(material),
            Offer::Failed(fault) => Err(fault),
            Offer::Empty => self.fetch(from, slot).await,
        }
    }

    /// A provider refused `used`. Whether another one is there now, or may be got: then it is worth
    /// asking once more.
    pub fn refused(&self, from: &CredentialFrom, used: &Arc<Material>) -> bool {
        let now = self.caller.clock.wall();
        let slot = self.slot(from);
        let mut held = slot.held();
        let Some(kept) = &held.kept else {
            return true;
        };
        if !Arc::ptr_eq(&kept.material, used) {
            return true;
        }
        let is_old = now.0 - kept.got.0 >= FRESH;
        if is_old {
            held.kept = None;
        }
        is_old
    }

    fn slot(&self, from: &CredentialFrom) -> Arc<Slot> {
        let identity = from.identity().unwrap_or_default();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(identity).or_default())
    }

    /// Renews a credential while the old one is still good.
    fn renew(self: &Arc<Self>, from: CredentialFrom, slot: Arc<Slot>) {
        let keyring = Arc::clone(self);
        tokio::spawn(async move {
            // Somebody is at it already.
            let Ok(_flight) = slot.flight.try_lock() else {
                return;
            };
            if matches!(
                slot.offer(&keyring.caller.clock),
                Offer::Ageing(_) | Offer::Empty
            ) {
                // What failed is in the log, and the old one is used until its end.
                let _ = keyring.fetch(&from, &slot).await;
            }
        });
    }

    async fn fetch(
        &self,
        from: &CredentialFrom,
        slot: &Slot,
    ) -> Result<Arc<Material>, CredentialFault> {
        let getting = self.obtain(from);
        let got = tokio::time::timeout(PATIENCE, getting)
            .await
            .unwrap_or_else(|_| Err(Miss::unreached(format!("not got within {PATIENCE:?}"))));
        let clock = &self.caller.clock;
        match got {
            Ok(got) => Ok(slot.keep(got, clock.wall())),
            Err(Miss::Absent(message)) => Err(slot.fail(
                CredentialFault {
                    message,
                    is_passing: false,
                },
                clock.now(),
            )),
            Err(Miss::Broken(fault)) => Err(slot.fail(fault, clock.now())),
        }
    }

    async fn obtain(&self, from: &CredentialFrom) -> Result<Got, Miss> {
        match from {
            // Known before anybody asks.
            CredentialFrom::Key(_) => Err(Miss::refused("a key needs no getting")),
            CredentialFrom::Command(of) => command::credential(of, self.caller.clock.wall()).await,
            CredentialFrom::Aws(login) => aws::keys(login, &self.caller).await,
            CredentialFrom::Google(login) => google::token(login, &self.caller).await,
            CredentialFrom::Entra(login) => entra::token(login, &self.caller).await,
        }
    }
}

impl Slot {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, clock: &Clock) -> Offer {
        let (now, wall) = (clock.now(), clock.wall());
        let held = self.held();
        let failed = held.failed.as_ref().filter(|failed| failed.until > now);
        let is_good = |kept: &&Kept| kept.expires.is_none_or(|at| wall.0 < at.0 - TOO_LATE);
        match (held.kept.as_ref().filter(is_good), failed) {
            (Some(kept), failed) => {
                let material = Arc::clone(&kept.material);
                let is_due = kept.renew.is_some_and(|at| wall >= at);
                if is_due && failed.is_none() {
                    Offer::Ageing(material)
                } else {
                    Offer::Ready(material)
                }
            }
            (None, Some(failed)) => Offer::Failed(failed.fault.clone()),
            (None, None) => Offer::Empty,
        }
    }

    fn keep(&self, got: Got, now: WallTime) -> Arc<Material> {
        let material = Arc::new(got.material);
        let renew = got.expires.map(|at| {
            let life = at.0.saturating_sub(now.0);
            let due = at.0 - AHEAD.min(life / 5).max(2 * TOO_LATE);
            WallTime(due.max(now.0 + RENEWED_MIN.min(life / 2)))
        });
        *self.held() = Held {
            kept: Some(Kept {
                material: Arc::clone(&material),
                got: now,
                renew,
                expires: got.expires,
            }),
            failed: None,
        };
        material
    }

    fn fail(&self, fault: CredentialFault, now: Moment) -> CredentialFault {
        let mut held = self.held();
        let times = held.failed.as_ref().map_or(0, |failed| failed.times) + 1;
        let pause = PAUSE
            .0
            .saturating_mul(1 << (times - 1).min(16))
            .min(PAUSE_MAX.0);
        tracing::warn!(seconds = pause / 1_000_000_000, "no credential: {fault}");
        held.failed = Some(Failed {
            fault: fault.clone(),
            times,
            until: now.plus(Nanos(pause)),
        });
        fault
    }
}
