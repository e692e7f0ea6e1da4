//! Hands records over to the program that has the store, as they come.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::fault::AppFault;
use crate::record::ExchangeRecord;

/// Has that program take some records: why it did not, in words, where it did not. It may be asked to
/// take one twice, which counts once.
pub type Hand = Arc<dyn Fn(&[ExchangeRecord]) -> Result<(), String> + Send + Sync>;

/// Records that go in one request.
const AT_ONCE: usize = 1_000;
/// How long they are gathered.
const GATHERED: Duration = Duration::from_millis(200);
/// How long is waited before some are offered once more: the queue of a busy store soon has room.
const WAITS: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// What became of the records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Handed {
    /// Those that were taken.
    pub(super) taken: u64,
    /// Those that were not.
    pub(super) lost: u64,
    /// Why the first of these were not.
    pub(super) why: Option<String>,
}

/// The thread that hands over; nobody who measures waits for it.
#[derive(Debug)]
pub(super) struct HandOver {
    records: Sender<ExchangeRecord>,
    thread: JoinHandle<Handed>,
}

impl HandOver {
    /// Begins.
    pub(super) fn begin(hand: Hand) -> Result<Self, AppFault> {
        let (records, coming) = channel();
        let thread = thread::Builder::new()
            .name("hand-over".to_owned())
            .spawn(move || carry(&coming, &hand, GATHERED, &WAITS))
            .map_err(|error| AppFault::Runtime(format!("cannot start a thread: {error}")))?;
        Ok(Self { records, thread })
    }

    /// Where records come in.
    pub(super) fn records(&self) -> Sender<ExchangeRecord> {
        self.records.clone()
    }

    /// Hands over what has come, once nobody else holds [`Self::records`].
    pub(super) fn end(self) -> Handed {
        drop(self.records);
        self.thread.join().unwrap_or_default()
    }
}

/// Hands over until no more come. Once some were refused for good nobody is asked again: each would
/// be waited for in vain.
fn carry(
    records: &Receiver<ExchangeRecord>,
    hand: &Hand,
    gathered: Duration,
    waits: &[Duration],
) -> Handed {
    let mut handed = Handed::default();
    while let Some(some) = gather(records, gathered) {
        let count = some.len() as u64;
        let refused = match &handed.why {
            Some(_) => true,
            None => match patiently(&some, hand, waits) {
                Ok(()) => false,
                Err(why) => {
                    handed.why = Some(why);
                    true
                }
            },
        };
        if refused {
            handed.lost += count;
        } else {
            handed.taken += count;
        }
    }
    handed
}

fn patiently(some: &[ExchangeRecord], hand: &Hand, waits: &[Duration]) -> Result<(), String> {
    let mut waits = waits.iter();
    loop {
        let refused = match hand(some) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        };
        let Some(wait) = waits.next() else {
            return Err(refused);
        };
        thread::sleep(*wait);
    }
}

/// The next ones, one at least; none where no more come.
fn gather(records: &Receiver<ExchangeRecord>, gathered: Duration) -> Option<Vec<ExchangeRecord>> {
    let mut some = vec![records.recv().ok()?];
    some.extend(records.try_iter().take(AT_ONCE - 1));
    if some.len() < AT_ONCE {
        thread::sleep(gathered);
        some.extend(records.try_iter().take(AT_ONCE - some.len()));
    }
    Some(some)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::sample;

    #[test]
    fn what_is_refused_is_offered_again_and_then_lost_with_the_reason() {
        // How the asked answers, one after the other, the last for ever; and what becomes of 2,500.
        let busy = || Err("no room".to_owned());
        let cases = [
            (vec![Ok(())], 2_500, 0, 3),
            (vec![busy(), Ok(())], 2_500, 0, 4),
            (vec![Ok(()), busy(), busy(), Ok(())], 2_500, 0, 5),
            (vec![busy()], 0, 2_500, 3),
            (vec![Ok(()), busy()], 1_000, 1_500, 4),
        ];
        for (answers, taken, lost, asked) in cases {
            let (sender, records) = channel();
            for _ in 0..2_500 {
                sender.send(sample::record()).unwrap();
            }
            drop(sender);
            let count = Arc::new(Mutex::new(0));
            let (counted, told) = (Arc::clone(&count), answers.clone());
            let hand: Hand = Arc::new(move |_| {
                let mut count = counted.lock().unwrap();
                let answer = told[(*count).min(told.len() - 1)].clone();
                *count += 1;
                answer
            });
            let handed = carry(&records, &hand, Duration::ZERO, &[Duration::ZERO; 2]);
            let why = (lost > 0).then(|| "no room".to_owned());
            assert_eq!(handed, Handed { taken, lost, why }, "{answers:?}");
            assert_eq!(*count.lock().unwrap(), asked, "{answers:?}");
        }
    }
}
