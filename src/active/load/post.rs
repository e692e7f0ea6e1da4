//! Carries the requests of a load: each as a task beside the street that it goes along.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::active::traffic::{Asked, Line, Traffic, TrafficFault};
use crate::clock::Clock;
use crate::record::{Moment, PicoDollars};

/// The street gives a request up by itself; where it does not, it is left so much later.
const GRACE: Duration = Duration::from_secs(2);

/// What carries requests.
#[derive(Debug)]
pub(super) struct Post {
    traffic: Traffic,
    clock: Clock,
    patience: Duration,
    /// Connections that wait for a request, by worker.
    idle: Vec<Mutex<Vec<Line>>>,
    in_flight: AtomicUsize,
    /// What the requests at work may cost at most.
    reserved: AtomicU64,
}

/// A request at work.
struct AtWork {
    post: Arc<Post>,
    reserved: PicoDollars,
    /// Who wants to know when it ended.
    ended: Option<Sender<Moment>>,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.post.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.post
            .reserved
            .fetch_sub(self.reserved.0, Ordering::Relaxed);
        if let Some(ended) = &self.ended {
            // Nobody paces any more once everything was sent.
            let _ = ended.send(self.post.clock.now());
        }
    }
}

impl Post {
    pub(super) fn new(traffic: Traffic, clock: Clock, patience: Duration) -> Self {
        Self {
            idle: (0..traffic.workers()).map(|_| Mutex::default()).collect(),
            traffic,
            clock,
            patience: patience + GRACE,
            in_flight: AtomicUsize::new(0),
            reserved: AtomicU64::new(0),
        }
    }

    /// The moment that is now.
    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Requests at work.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// What the requests at work may cost at most.
    pub(super) fn reserved(&self) -> PicoDollars {
        PicoDollars(self.reserved.load(Ordering::Relaxed))
    }

    /// Sends a request that may cost so much; `ended` hears when its answer is over, or given up.
    pub(super) fn send(
        self: &Arc<Self>,
        asked: Asked,
        cost: PicoDollars,
        ended: Option<Sender<Moment>>,
    ) -> Result<(), TrafficFault> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.reserved.fetch_add(cost.0, Ordering::Relaxed);
        let at_work = AtWork {
            post: Arc::clone(self),
            reserved: cost,
            ended,
        };
        self.traffic.run(asked.worker, async move {
            let post = &at_work.post;
            // What became of it is in its record; without one it counts as failed.
            let _ = tokio::time::timeout(post.patience, post.pass(asked)).await;
        })
    }

    async fn pass(&self, asked: Asked) -> Result<(), TrafficFault> {
        let worker = asked.worker;
        let mut line = match self.take(worker) {
            Some(line) => line,
            None => self.traffic.open(worker).await?,
        };
        if self.traffic.pass(&mut line, asked).await?
            && let Some(idle) = self.idle.get(worker)
        {
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
        Ok(())
    }

    /// The line that was used last and is open still.
    fn take(&self, worker: usize) -> Option<Line> {
        let mut idle = self.idle.get(worker)?.lock();
        let idle = idle.as_mut().ok()?;
        while let Some(line) = idle.pop() {
            if !line.is_over() {
                return Some(line);
            }
        }
        None
    }
}
