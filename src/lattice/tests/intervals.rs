use super::*;

/// Beyond what any of the sets here reaches.
const LAST: u64 = 40;

fn list(set: &Intervals) -> Vec<u64> {
    (0..LAST).filter(|index| holds_index(set, *index)).collect()
}

/// Sorted, with gaps between: two sets of the same indices are equal.
fn is_canonical(set: &Intervals) -> bool {
    let intervals = set.as_slice();
    intervals.iter().all(|(start, end)| start < end) && intervals.windows(2).all(|pair| pair[0].1 < pair[1].0)
}

proptest! {
    #[test]
    fn sets_of_indices_are_sets(a in interval_sets(), b in interval_sets(), extent in 0u64..14) {
        let (union, both, rest) = (a.union(&b), a.intersection(&b), a.complement(extent));
        for index in 0..LAST {
            let (in_a, in_b) = (holds_index(&a, index), holds_index(&b, index));
            prop_assert_eq!(holds_index(&union, index), in_a || in_b);
            prop_assert_eq!(holds_index(&both, index), in_a && in_b);
            prop_assert_eq!(holds_index(&rest, index), index < extent && !in_a);
        }
        prop_assert!([&union, &both, &rest].into_iter().all(is_canonical));
        prop_assert_eq!(a.contains(&b), list(&b).iter().all(|index| holds_index(&a, *index)));
        prop_assert_eq!(a.count() as usize, list(&a).len());
        prop_assert_eq!(a.is_empty(), list(&a).is_empty());
        prop_assert_eq!(a.is_full(extent), (0..extent).all(|index| holds_index(&a, index)));
        let ends = (list(&a).first().copied(), list(&a).last().copied());
        let hull = a.hull();
        prop_assert_eq!((list(&hull).first().copied(), list(&hull).last().copied()), ends);
        prop_assert!(hull.as_slice().len() <= 1);
    }

    #[test]
    fn indices_are_placed_one_by_one(set in interval_sets(), low in -15i64..15, step in 1u64..4, extent in 0u64..20) {
        let placed = set.placed(low, step, extent);
        let expected: Vec<u64> = (0..extent)
            .filter(|there| list(&set).iter().any(|index| low + (step * index) as i64 == *there as i64))
            .collect();
        prop_assert_eq!(list(&placed), expected);
        prop_assert!(is_canonical(&placed));
    }

    #[test]
    fn a_slice_picks_index_by_index(
        set in interval_sets(),
        start in -4i64..14,
        step in (1i64..4, any::<bool>()).prop_map(|(step, back)| if back { -step } else { step }),
        extent in 0u64..14,
    ) {
        let picked = set.picked(start, step, extent);
        let is_in = |index: i64| u64::try_from(index).is_ok_and(|index| holds_index(&set, index));
        let expected: Vec<u64> = (0..extent).filter(|index| is_in(start + step * *index as i64)).collect();
        prop_assert_eq!(list(&picked), expected);
        prop_assert!(is_canonical(&picked));
    }
}

#[test]
fn too_many_intervals_become_their_hull() {
    let many = Intervals::union_of((0..200).map(|index| (3 * index + 1, 3 * index + 2)).collect());
    assert_eq!(many, Intervals::range(1, 599));
    let long = Intervals::range(0, 1000).placed(5, 3, 10_000);
    assert_eq!(long, Intervals::range(5, 3003));
}

#[test]
fn far_positions_are_cut_and_do_not_overflow() {
    let set = Intervals::range(0, 1 << 47);
    assert!(set.placed(i64::MAX, 1 << 40, 10).is_empty());
    assert_eq!(set.placed(i64::MIN, 1, 10), Intervals::range(0, 0));
    assert!(set.picked(i64::MIN, -1, 10).is_empty());
    assert_eq!(set.picked(i64::MIN, i64::MIN, 10), Intervals::range(0, 0));
    assert_eq!(set.picked(5, i64::MAX, 10), Intervals::range(0, 1));
}
