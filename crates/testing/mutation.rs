//! Bytes that a disk or a stranger has changed. `MODEL_CACHE_MUTATIONS` makes tests try so many for each sample instead of a few
//! thousand, and `MODEL_CACHE_MUTATIONS_SEED` other ones.

#[path = "random.rs"]
pub(crate) mod random;
use random::Random;

/// Tries `work` with many changed forms of each sample.
pub(crate) fn with_mutations(samples: &[Vec<u8>], work: impl Fn(&[u8])) {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let mut random = Random(number("MODEL_CACHE_MUTATIONS_SEED", 0x9E37_79B9_7F4A_7C15));
    for sample in samples {
        work(sample);
        for _ in 0..number("MODEL_CACHE_MUTATIONS", 3_000) {
            let mut changed = sample.clone();
            for _ in 0..=random.below(4) {
                random.change(&mut changed, samples);
            }
            work(&changed);
        }
    }
}

impl Random {
    fn byte(&mut self) -> u8 {
        let special = [0, 1, 0x7f, 0x80, 0xff, b'-', b'/', b'"', b':', b'9'];
        match self.below(3) {
            0 => special[self.below(special.len())],
            _ => u8::try_from(self.below(256)).unwrap(),
        }
    }

    fn change(&mut self, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        match self.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.byte()),
            2 => {
                let end = (at + 1 + self.below(8)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            3 => {
                let other = &samples[self.below(samples.len())];
                let from = self.below(other.len() + 1);
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let byte = self.byte();
                if let Some(old) = bytes.get_mut(at) {
                    *old = byte;
                }
            }
        }
    }
}
