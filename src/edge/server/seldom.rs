//! Asks only where somebody has called for it: beside what a task is woken for often, there is what
//! comes once in a while.
//!
//! A connection's task is woken for each chunk. Its timer, the word to stop and its client's next
//! byte are seldom there, and to ask all three each time costs as much as to write the chunk.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// What is to be rung by whom there is something to ask.
pub(super) struct Bell {
    rope: Arc<Rope>,
    /// What is given to whoever is asked: it rings the bell.
    ringer: Waker,
    /// The task that the bell wakes.
    task: Option<Waker>,
}

struct Rope {
    has_rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the task is woken: it looks there.
        self.has_rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            task.wake_by_ref();
        }
    }
}

impl Bell {
    pub(super) fn new() -> Self {
        let rope = Arc::new(Rope {
            has_rung: AtomicBool::new(true),
            task: Mutex::default(),
        });
        Self {
            ringer: Waker::from(Arc::clone(&rope)),
            rope,
            task: None,
        }
    }

    /// Has the next question asked: somebody else was, who may have got the answer.
    pub(super) fn ring(&self) {
        self.rope.has_rung.store(true, Ordering::Release);
    }

    /// Asks, if the bell has rung since there was no answer.
    pub(super) fn ask<T>(
        &mut self,
        cx: &Context<'_>,
        question: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.answer_to(cx.waker());
        if !self.rope.has_rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.rope.has_rung.store(false, Ordering::Release);
        let answer = question(&mut Context::from_waker(&self.ringer));
        if answer.is_ready() {
            // Nobody was told to ring: there may be more at once.
            self.ring();
        }
        answer
    }

    /// Has the bell wake this task, before it is looked at whether it has rung.
    fn answer_to(&mut self, task: &Waker) {
        if self.task.as_ref().is_some_and(|own| own.will_wake(task)) {
            return;
        }
        self.task = Some(task.clone());
        let mut woken = self
            .rope
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *woken = Some(task.clone());
    }
}

/// A future that is seldom ready.
pub(super) struct Seldom<'a, F> {
    future: Pin<&'a mut F>,
    bell: Bell,
}

impl<'a, F: Future> Seldom<'a, F> {
    pub(super) fn new(future: Pin<&'a mut F>) -> Self {
        let bell = Bell::new();
        Self { future, bell }
    }

    /// Polls the future if it was woken since it was polled last.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<F::Output> {
        let future = self.future.as_mut();
        self.bell.ask(cx, |cx| future.poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Task(Mutex<u32>);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() += 1;
        }
    }

    #[test]
    fn a_future_is_polled_where_it_was_woken() {
        let (polls, ready, waker) = (Cell::new(0), Cell::new(false), Cell::new(None));
        let future = pin!(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            waker.set(Some(cx.waker().clone()));
            if ready.get() {
                Poll::Ready(7)
            } else {
                Poll::Pending
            }
        }));
        let mut seldom = Seldom::new(future);
        let tasks = [Arc::new(Task::default()), Arc::new(Task::default())];
        let mut poll = |task: &Arc<Task>| {
            let waker = Waker::from(Arc::clone(task));
            seldom.poll(&Context::from_waker(&waker))
        };
        let woken = || tasks.each_ref().map(|task| *task.0.lock().unwrap());
        for _ in 0..3 {
            assert_eq!(poll(&tasks[0]), Poll::Pending);
        }
        assert_eq!(polls.get(), 1, "nobody woke it");
        waker.take().unwrap().wake();
        assert_eq!(woken(), [1, 0]);
        for _ in 0..3 {
            assert_eq!(poll(&tasks[0]), Poll::Pending);
        }
        assert_eq!(polls.get(), 2, "it was woken once");
        // It goes over to another task: that one is woken, and it need not be polled for that.
        assert_eq!(poll(&tasks[1]), Poll::Pending);
        ready.set(true);
        waker.take().unwrap().wake();
        assert_eq!((woken(), polls.get()), ([1, 1], 2));
        assert_eq!(poll(&tasks[1]), Poll::Ready(7));
    }

    #[test]
    fn after_an_answer_it_is_asked_again() {
        let mut bell = Bell::new();
        let cx = Context::from_waker(Waker::noop());
        let asked = Cell::new(0);
        let ask = |bell: &mut Bell, answer: Poll<()>| {
            bell.ask(&cx, |_| {
                asked.set(asked.get() + 1);
                answer
            })
        };
        assert!(ask(&mut bell, Poll::Ready(())).is_ready());
        assert!(ask(&mut bell, Poll::Ready(())).is_ready());
        assert!(ask(&mut bell, Poll::Pending).is_pending());
        assert!(ask(&mut bell, Poll::Ready(())).is_pending());
        assert_eq!(asked.get(), 3, "nobody rang");
        bell.ring();
        assert!(ask(&mut bell, Poll::Ready(())).is_ready());
        assert_eq!(asked.get(), 4);
    }
}
