use super::state::PATIENCE;
use super::*;
use crate::transfer::active::Claim;
use crate::transfer::length::SMALLEST_CUT;

const MIB: u64 = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

fn whole(size: u64) -> Arc<Plan> {
    Arc::new(Plan::new(std::slice::from_ref(&(0..size)), TIMEOUT))
}

/// A plan of one range whose only connection received `received` bytes of it within a second.
fn started(size: u64, received: u64) -> (Arc<Plan>, Piece, Instant) {
    let plan = whole(size);
    let start = Instant::now();
    let piece = plan.take(None, false, start).unwrap();
    piece.read(start);
    let now = start + Duration::from_secs(1);
    piece.claim(0, usize::try_from(received).unwrap(), now).unwrap();
    (plan, piece, now)
}

/// Looks at the plan every 100 ms for so long; `step` runs before each look.
fn watch(plan: &Plan, mut now: Instant, duration: Duration, mut step: impl FnMut(Instant)) -> Instant {
    let end = now + duration;
    while now < end {
        now += Duration::from_millis(100);
        step(now);
        plan.rescue(now);
    }
    now
}

#[test]
fn pieces_are_half_a_second_long_and_end_with_a_part() {
    let plan = Plan::new(&[3..200 * MIB, 300 * MIB..301 * MIB], TIMEOUT);
    let (plan, now) = (Arc::new(plan), Instant::now());
    let pieces: Vec<_> = [None, Some(1), Some(30 * MIB), Some(200 * MIB), Some(1 << 40), None]
        .map(|rate| plan.take(rate, false, now))
        .into_iter()
        .flatten()
        .collect();
    let ranges: Vec<_> = pieces.iter().map(|piece| piece.rest().unwrap()).collect();
    let parts = [
        3..24 * MIB,
        24 * MIB..32 * MIB,
        32 * MIB..48 * MIB,
        48 * MIB..152 * MIB,
        152 * MIB..200 * MIB,
        300 * MIB..301 * MIB,
    ];
    assert_eq!(ranges, parts);
}

#[test]
fn where_others_wait_pieces_are_no_longer_than_half_a_second() {
    let (plan, now) = (whole(100 * MIB), Instant::now());
    let rates = [None, Some(1), Some(30 * MIB), Some(1 << 40)];
    let pieces = rates.map(|rate| plan.take(rate, true, now).unwrap());
    let ends: Vec<_> = pieces.iter().map(|piece| piece.rest().unwrap().end).collect();
    assert_eq!(ends, [4 * MIB, 4 * MIB + SMALLEST_CUT, 19 * MIB + SMALLEST_CUT, 100 * MIB]);
}

#[test]
fn an_idle_connection_takes_the_tail_half_of_the_slowest_piece() {
    let (plan, slow, now) = started(9 * MIB, MIB);
    let other = plan.take(None, false, now).unwrap();
    assert_eq!((slow.rest(), other.rest()), (Some(MIB..5 * MIB), Some(5 * MIB..9 * MIB)));
}

#[test]
fn a_piece_about_to_end_is_left_alone() {
    let (plan, _fast, now) = started(60 * MIB, 58 * MIB);
    drop(plan.take(None, false, now).unwrap());
    let (plan, _small, now) = started(2 * MIB, MIB / 2);
    assert!(plan.take(None, false, now).is_none());
}

#[tokio::test]
async fn what_a_silent_connection_has_left_is_taken_away_and_it_learns_that() {
    let (plan, silent, now) = started(9 * MIB, MIB);
    let later = watch(&plan, now, 2 * PATIENCE, |_| {});
    assert_eq!(silent.rest(), Some(MIB..9 * MIB), "it is storing what it received");
    silent.wait(later);
    let later = watch(&plan, later, PATIENCE, |_| {});
    assert_eq!((silent.rest(), silent.claim(MIB, 10, later)), (None, None));
    assert_eq!(silent.unless_lost(std::future::pending::<()>()).await, None);
    assert_eq!(plan.take(None, false, later).unwrap().rest(), Some(MIB..9 * MIB));
}

/// What became of a transfer over eight connections.
struct Race {
    /// How often one had to take from another.
    steals: usize,
    /// Milliseconds that a connection was without work before the last one had ended, on average.
    idle: u64,
}

/// Eight connections that begin one after the other, the first at `rate` bytes per second, each other at a `step` less.
fn race(size: u64, rate: u64, step: u64) -> Race {
    const TICK: u64 = 10;
    let (plan, mut now) = (whole(size), Instant::now());
    let mut pieces: [Option<(Piece, u64)>; 8] = Default::default();
    let mut rates = [None; 8];
    let (mut steals, mut idle, mut ticks) = (0, 0, 0);
    while !plan.is_finished() {
        now += Duration::from_millis(TICK);
        ticks += 1;
        for ((number, place), known) in (0_u64..).zip(&mut pieces).zip(&mut rates) {
            if let Some((piece, at)) = place {
                let came = usize::try_from((rate - number * step) * TICK / 1000).unwrap();
                *at += piece.claim(*at, came, now).map_or(0, |claim| claim.take as u64);
                piece.wait(now);
                *known = piece.rate(now);
            }
            place.take_if(|(piece, _)| piece.rest().is_none());
        }
        plan.rescue(now);
        if ticks == 10 {
            plan.expect(8);
            plan.share(now);
        }
        let idlers = pieces
            .iter_mut()
            .zip(rates)
            .take(if ticks < 10 { 1 } else { 8 })
            .filter(|(place, _)| place.is_none());
        for (place, rate) in idlers {
            steals += usize::from(plan.lock().queue.is_empty() && plan.has_work(now));
            match plan.take(rate, false, now) {
                Some(piece) => {
                    piece.read(now);
                    let at = piece.rest().unwrap().start;
                    *place = Some((piece, at));
                }
                None => idle += TICK,
            }
        }
    }
    Race { steals, idle: idle / 8 }
}

#[test]
fn connections_end_together_and_do_not_take_from_each_other() {
    for rate in [1, 10, 60] {
        let Race { steals, idle } = race(256 * MIB, rate * MIB, 0);
        assert!(steals == 0 && idle <= 100, "{rate} MiB per second: {steals} steals, {idle} ms idle");
    }
}

#[test]
fn connections_of_different_rates_end_together_too() {
    for (rate, most) in [(1, 200), (10, 100), (60, 100)] {
        let Race { idle, .. } = race(256 * MIB, rate * MIB, rate * MIB / 10);
        assert!(idle <= most, "{rate} MiB per second: {idle} ms idle");
    }
}

#[test]
fn a_trickle_is_a_stall() {
    let (plan, slow, now) = started(9 * MIB, MIB);
    slow.wait(now);
    let mut at = MIB;
    watch(&plan, now, 2 * PATIENCE, |now| {
        slow.claim(at, 100, now);
        slow.wait(now);
        at += 100;
    });
    assert_eq!(slow.rest(), None);
}

#[test]
fn far_less_than_the_others_is_a_stall() {
    for (rate, stalls) in [(10 << 10, true), (200 << 10, false)] {
        let plan = whole(100 * MIB);
        let now = Instant::now();
        let pieces = [0; 4].map(|_| plan.take(Some(1), false, now).unwrap());
        let mut at = [0; 4].map(|_| 0);
        for (piece, at) in pieces.iter().zip(&mut at) {
            *at = piece.rest().unwrap().start;
            piece.read(now);
        }
        watch(&plan, now, PATIENCE, |now| {
            for (index, (piece, at)) in pieces.iter().zip(&mut at).enumerate() {
                let bytes = if index == 2 { rate / 10 } else { 100 << 10 };
                piece.claim(*at, bytes, now);
                piece.wait(now);
                *at += bytes as u64;
            }
        });
        let lost: Vec<_> = pieces.iter().map(|piece| piece.rest().is_none()).collect();
        assert_eq!(lost, [false, false, stalls, false]);
    }
}

#[test]
fn a_slow_link_gets_more_patience_each_time() {
    let plan = whole(9 * MIB);
    let mut now = Instant::now();
    let mut lost_after = Vec::new();
    for _ in 0..6 {
        let piece = plan.take(None, false, now).unwrap();
        piece.read(now);
        let since = now;
        while piece.rest().is_some() {
            now = watch(&plan, now, Duration::from_millis(100), |_| {});
        }
        lost_after.push((now - since).as_millis());
    }
    assert_eq!(lost_after, [1500, 3000, 6000, 12000, 15000, 15000]);
}

#[test]
fn silence_is_of_the_whole_and_no_pause() {
    let (plan, first, now) = started(9 * MIB, MIB);
    let second = plan.take(None, false, now).unwrap();
    first.wait(now);
    let later = now + TIMEOUT;
    assert_eq!(plan.silence(later), TIMEOUT);
    second.pause();
    assert_eq!(plan.silence(later), Duration::ZERO);
    second.ask();
    assert_eq!(plan.silence(later + TIMEOUT), TIMEOUT);
    second.read(later + TIMEOUT);
    second.claim(second.rest().unwrap().start, 10, later + TIMEOUT);
    second.wait(later + TIMEOUT);
    assert_eq!(plan.silence(later + TIMEOUT), TIMEOUT, "ten bytes are no life");
    second.claim(second.rest().unwrap().start, 2000, later + TIMEOUT);
    second.wait(later + TIMEOUT);
    assert_eq!(plan.silence(later + TIMEOUT), Duration::ZERO);
}

#[test]
fn storing_the_last_bytes_of_a_piece_is_no_silence() {
    let (plan, piece, now) = started(MIB, MIB);
    assert!(plan.is_finished());
    assert_eq!(plan.silence(now + TIMEOUT), Duration::ZERO);
    piece.wait(now + TIMEOUT);
    assert_eq!(plan.silence(now + 2 * TIMEOUT), TIMEOUT);
}

#[test]
fn a_connection_that_others_wait_for_ends_soon() {
    let (plan, piece, now) = started(16 * MIB, MIB);
    plan.hurry(1, now);
    assert_eq!(piece.rest(), Some(MIB..MIB + MIB / 4));
    plan.hurry(1, now);
    assert_eq!(piece.rest(), Some(MIB..MIB + MIB / 4));
    assert_eq!(plan.take(Some(1), false, now).unwrap().rest(), Some(MIB + MIB / 4..8 * MIB));
}

#[test]
fn an_ended_connection_leaves_its_rest_in_order() {
    let plan = whole(100 * MIB);
    let now = Instant::now();
    let first = plan.take(Some(1), false, now).unwrap();
    let second = plan.take(Some(1), false, now).unwrap();
    first.claim(0, 1000, now).unwrap();
    drop(second);
    drop(first);
    assert_eq!(plan.take(Some(1), false, now).unwrap().rest(), Some(1000..8 * MIB));
    assert_eq!(plan.received(), 1000);
}

#[test]
fn sharing_leaves_half_a_second_and_keeps_the_order() {
    let (plan, first, now) = started(16 * MIB, 4 * MIB);
    plan.share(now);
    assert_eq!(first.rest(), Some(4 * MIB..8 * MIB));
    let second = plan.take(Some(1), false, now).unwrap();
    assert_eq!(second.rest(), Some(8 * MIB..16 * MIB));
}

#[test]
fn what_is_queued_is_shared_before_what_is_being_fetched() {
    let (plan, first, now) = started(200 * MIB, 4 * MIB);
    plan.share(now);
    assert_eq!(first.rest(), Some(4 * MIB..16 * MIB));
}

#[test]
fn a_whole_answer_collects_everything_and_skips_what_is_there() {
    let plan = Arc::new(Plan::new(&[10..20, 30..40], TIMEOUT));
    let now = Instant::now();
    let (first, second) = (plan.take(None, false, now).unwrap(), plan.take(None, false, now).unwrap());
    second.read(now);
    second.take_whole();
    assert_eq!(first.rest(), None);
    assert_eq!(second.claim(0, 15, now), Some(Claim { skip: 10, take: 5 }));
    assert_eq!(second.claim(15, 25, now), Some(Claim { skip: 0, take: 5 }));
    assert_eq!(second.claim(20, 20, now), Some(Claim { skip: 10, take: 10 }));
    assert_eq!(second.claim(40, 60, now), None);
    assert!(plan.is_finished());
    assert!(!plan.has_work(now));
}
