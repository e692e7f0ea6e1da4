//! Says what one case sends, and what must come of it.

use tollgate::record::Outcome;

/// One case of the corpus.
pub(crate) struct Case {
    /// Its name, unique in its family.
    pub(crate) name: &'static str,
    /// Why it is expected so: a section of an RFC, an advisory, or our own design.
    pub(crate) note: &'static str,
    /// What the client does, in order.
    pub(crate) steps: Vec<Step>,
    /// The answers, in order.
    pub(crate) wants: Vec<Want>,
    /// Whether the connection must be closed by us, without the client closing first.
    pub(crate) closes: bool,
    /// Whether a provider may see a request (also a part of one) beyond those that are answered.
    pub(crate) may_reach: bool,
    /// Whether the client speaks to the end, then waits for the close only.
    pub(crate) silent: bool,
    /// Whether the HTTP library takes what a strict reader would refuse.
    pub(crate) lenient: bool,
    /// Outcome and reason of each record, where they do not follow from the answers.
    pub(crate) records: Option<&'static [(Outcome, &'static str)]>,
    /// Whether the client goes away: the answers may be missing, and at most one exchange began.
    pub(crate) gone: bool,
    /// Whether the client is told to go on (100).
    pub(crate) goes_on: bool,
    /// Endpoint of the last record.
    pub(crate) endpoint: Option<&'static str>,
    /// Texts that the last answer holds, head or body.
    pub(crate) says: Vec<&'static str>,
    /// Texts that no answer holds.
    pub(crate) hides: Vec<&'static str>,
    /// Headers of the last request that a provider saw, with all their values.
    pub(crate) sees: Vec<(&'static str, Vec<&'static str>)>,
    /// Target of the last request that a provider saw.
    pub(crate) target: Option<&'static str>,
    /// Body of the last request that a provider saw, as a template.
    pub(crate) body: Option<&'static str>,
}

/// Something that the client does. Texts are templates (see `template.rs`).
pub(crate) enum Step {
    /// Writes this in one piece.
    Write(&'static str),
    /// Writes a head, its `Content-Length`, and the body, in one piece.
    Sized(&'static str, &'static str),
    /// Writes this so many times, or until nobody takes it.
    Repeat(&'static str, usize),
    /// Writes byte by byte, with a pause of that many milliseconds after each.
    Drip(&'static str, u64),
    /// Says nothing for that many milliseconds.
    Pause(u64),
    /// Closes its sending half.
    Finish,
    /// Breaks the connection off (TCP reset), and reads nothing any more.
    Reset,
}

/// One answer.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    /// The provider's, with this status.
    Provider(u16),
    /// An answer put together by Tollgate that is no error.
    Made(u16),
    /// A refusal of Tollgate's: status and code.
    Own(u16, &'static str),
    /// An empty one of the HTTP library's, with one of these statuses: Tollgate never saw a
    /// request, and keeps no record.
    Library(&'static [u16]),
}

/// The provider's 200.
pub(crate) const PASS: Want = Want::Provider(200);
/// The library's 400.
pub(crate) const LIBRARY_400: Want = Want::Library(&[400]);
/// The library's 431, or 414 where the target is what is too long.
pub(crate) const LIBRARY_431: Want = Want::Library(&[431, 414]);

/// A case that writes `text` and wants one answer.
pub(crate) fn case(name: &'static str, text: &'static str, want: Want, note: &'static str) -> Case {
    steps(name, vec![Step::Write(text)], vec![want], note)
}

/// A case that posts `body` as JSON to the chat endpoint.
pub(crate) fn json(name: &'static str, body: &'static str, want: Want, note: &'static str) -> Case {
    steps(name, vec![Step::Sized("{POST}", body)], vec![want], note)
}

/// A case with any steps and answers.
pub(crate) fn steps(
    name: &'static str,
    steps: Vec<Step>,
    wants: Vec<Want>,
    note: &'static str,
) -> Case {
    Case {
        name,
        note,
        steps,
        wants,
        closes: false,
        may_reach: false,
        silent: false,
        lenient: false,
        records: None,
        gone: false,
        goes_on: false,
        endpoint: None,
        says: Vec::new(),
        hides: Vec::new(),
        sees: Vec::new(),
        target: None,
        body: None,
    }
}

impl Case {
    pub(crate) fn closes(mut self) -> Self {
        self.closes = true;
        self
    }

    pub(crate) fn may_reach(mut self) -> Self {
        self.may_reach = true;
        self
    }

    /// One more answer.
    pub(crate) fn and(mut self, want: Want) -> Self {
        self.wants.push(want);
        self
    }

    /// No answer at all, only the close.
    pub(crate) fn silent(mut self) -> Self {
        self.silent = true;
        self.wants.clear();
        self.closes()
    }

    pub(crate) fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    pub(crate) fn records(mut self, records: &'static [(Outcome, &'static str)]) -> Self {
        self.records = Some(records);
        self
    }

    /// The client goes away: whether it still gets an answer, and whether an exchange begins, is
    /// a race.
    pub(crate) fn gone(mut self) -> Self {
        self.gone = true;
        self
    }

    pub(crate) fn goes_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    pub(crate) fn endpoint(mut self, endpoint: &'static str) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    pub(crate) fn says(mut self, text: &'static str) -> Self {
        self.says.push(text);
        self
    }

    pub(crate) fn hides(mut self, text: &'static str) -> Self {
        self.hides.push(text);
        self
    }

    pub(crate) fn sees(mut self, name: &'static str, value: &'static str) -> Self {
        self.sees.push((name, vec![value]));
        self
    }

    pub(crate) fn sees_both(
        mut self,
        name: &'static str,
        one: &'static str,
        other: &'static str,
    ) -> Self {
        self.sees.push((name, vec![one, other]));
        self
    }

    pub(crate) fn never_sees(mut self, name: &'static str) -> Self {
        self.sees.push((name, Vec::new()));
        self
    }

    pub(crate) fn target(mut self, target: &'static str) -> Self {
        self.target = Some(target);
        self
    }

    pub(crate) fn body(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }
}
