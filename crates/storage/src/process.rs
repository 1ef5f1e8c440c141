//! Which process made a value. A fork child has its parent's memory, and neither its threads nor its open databases.

/// A process, by its id; by default this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process(u32);

impl Process {
    /// This process.
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// False in a fork child of the process.
    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::current()
    }
}
