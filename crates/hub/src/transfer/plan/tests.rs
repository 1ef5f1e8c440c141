use super::*;

const MIB: u64 = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

fn whole(size: u64) -> Arc<Plan> {
    Arc::new(Plan::new(std::slice::from_ref(&(0..size)), TIMEOUT))
}

/// A plan of one range whose only connection received `received` bytes of it within a second.
fn started(size: u64, received: u64) -> (Arc<Plan>, Piece, Instant) {
    let plan = whole(size);
    let start = Instant::now();
    let piece = plan.take(None, start).unwrap();
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
        .map(|rate| plan.take(rate, now))
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
fn an_idle_connection_takes_the_tail_half_of_the_slowest_piece() {
    let (plan, slow, now) = started(9 * MIB, MIB);
    let other = plan.take(None, now).unwrap();
    assert_eq!((slow.rest(), other.rest()), (Some(MIB..5 * MIB), Some(5 * MIB..9 * MIB)));
}

#[test]
fn a_piece_about_to_end_is_left_alone() {
    let (plan, _fast, now) = started(60 * MIB, 58 * MIB);
    drop(plan.take(None, now).unwrap());
    let (plan, _small, now) = started(2 * MIB, MIB / 2);
    assert!(plan.take(None, now).is_none());
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
    assert_eq!(plan.take(None, later).unwrap().rest(), Some(MIB..9 * MIB));
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
        let pieces = [0; 4].map(|_| plan.take(Some(1), now).unwrap());
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
        let piece = plan.take(None, now).unwrap();
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
    let second = plan.take(None, now).unwrap();
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
fn a_connection_that_others_wait_for_ends_soon() {
    let (plan, piece, now) = started(16 * MIB, MIB);
    plan.hurry(1, now);
    assert_eq!(piece.rest(), Some(MIB..MIB + MIB / 4));
    plan.hurry(1, now);
    assert_eq!(piece.rest(), Some(MIB..MIB + MIB / 4));
    assert_eq!(plan.take(Some(1), now).unwrap().rest(), Some(MIB + MIB / 4..8 * MIB));
}

#[test]
fn an_ended_connection_leaves_its_rest_in_order() {
    let plan = whole(100 * MIB);
    let now = Instant::now();
    let first = plan.take(Some(1), now).unwrap();
    let second = plan.take(Some(1), now).unwrap();
    first.claim(0, 1000, now).unwrap();
    drop(second);
    drop(first);
    assert_eq!(plan.take(Some(1), now).unwrap().rest(), Some(1000..8 * MIB));
    assert_eq!(plan.received(), 1000);
}

#[test]
fn sharing_leaves_half_a_second_and_keeps_the_order() {
    let (plan, first, now) = started(16 * MIB, 4 * MIB);
    plan.share(now);
    assert_eq!(first.rest(), Some(4 * MIB..8 * MIB));
    let second = plan.take(Some(1), now).unwrap();
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
    let (first, second) = (plan.take(None, now).unwrap(), plan.take(None, now).unwrap());
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
