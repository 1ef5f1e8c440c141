//! Numbers that look random and are the same in every run.

/// Xorshift. Its seed is any number but 0.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `limit`; 0 where that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit.max(1)
    }
}
