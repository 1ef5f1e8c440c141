//! A sink in memory that notices bytes written twice.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;
use tabagent_hub::{RangeSink, SinkError};

pub(crate) struct MemorySink {
    state: Mutex<State>,
}

struct State {
    bytes: Vec<u8>,
    times: Vec<u8>,
    largest: usize,
}

impl MemorySink {
    pub(crate) fn new(size: usize) -> Self {
        Self { state: Mutex::new(State { bytes: vec![0; size], times: vec![0; size], largest: 0 }) }
    }

    /// Exactly the bytes of `ranges` were written, once each, as they are in `content`.
    pub(crate) fn assert_holds(&self, content: &[u8], ranges: &[Range<usize>]) {
        let state = self.state.lock().unwrap();
        let mut times = vec![0; content.len()];
        for range in ranges {
            times[range.clone()].fill(1);
            assert!(state.bytes[range.clone()] == content[range.clone()], "other bytes in {range:?}");
        }
        let wrong = state.times.iter().zip(&times).position(|(actual, expected)| actual != expected);
        assert_eq!(wrong, None, "first byte not written as often as expected");
        assert!(state.largest <= 1 << 20, "a write of {} bytes", state.largest);
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> usize {
        self.state.lock().unwrap().times.iter().filter(|times| **times > 0).count()
    }
}

impl RangeSink for MemorySink {
    fn write(&self, offset: u64, bytes: Bytes) -> Result<(), SinkError> {
        let mut state = self.state.lock().unwrap();
        let start = usize::try_from(offset)?;
        let range = start..start + bytes.len();
        state.bytes[range.clone()].copy_from_slice(&bytes);
        state.times[range].iter_mut().for_each(|times| *times += 1);
        state.largest = state.largest.max(bytes.len());
        Ok(())
    }
}
