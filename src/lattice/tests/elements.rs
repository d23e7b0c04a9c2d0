use super::super::AxisImage;
use super::*;

/// What a set operation gives, as a list; it must hold what it should, and no more if it can be exact.
fn assert_exact(found: &Elements, expected: &[bool], extents: &[u64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(listed(found, extents), expected);
    Ok(())
}

/// Each dimension of an operand and what becomes of it; the result's extents.
fn images(from: Vec<u64>) -> impl Strategy<Value = (Vec<u64>, Vec<AxisImage>, Vec<u64>)> {
    let axis = (0u8..4, -3i64..5, 1i64..3, 1u64..4, any::<bool>());
    let rank = from.len();
    (prop::collection::vec(axis, rank), prop::collection::vec(0u64..5, 1..4)).prop_map(move |(draws, to)| {
        let image = |(at, (what, start, step, span, back)): (usize, &(u8, i64, i64, u64, bool))| {
            let axis = (at + *span as usize) % to.len();
            match what {
                0 => AxisImage::Gone,
                1 => AxisImage::Placed { axis, low: *start, step: *step as u64 },
                2 => AxisImage::Picked { axis, start: *start, step: if *back { -step } else { *step } },
                _ => AxisImage::Window { axis, low: *start, stride: *step as u64, span: *span },
            }
        };
        let images = draws.iter().enumerate().map(image).collect();
        (from.clone(), images, to)
    })
}

/// Whether an index of the operand arrives at an index of the result, from the definition of each image.
fn arrives(images: &[AxisImage], from: &[u64], to: &[u64]) -> bool {
    images.iter().zip(from).all(|(image, index)| {
        let index = *index as i64;
        match *image {
            AxisImage::Gone => true,
            AxisImage::Placed { axis, low, step } => to[axis] as i64 == low + step as i64 * index,
            AxisImage::Picked { axis, start, step } => start + step * to[axis] as i64 == index,
            AxisImage::Window { axis, low, stride, span } => {
                let first = to[axis] as i64 * stride as i64 - low;
                (first..first + span as i64).contains(&index)
            }
        }
    })
}

proptest! {
    #[test]
    fn sets_of_elements_are_sets((extents, a) in sets(3), seed in prop::collection::vec(any::<bool>(), 125)) {
        let b: Vec<bool> = a.iter().zip(&seed).map(|(_, drawn)| *drawn).collect();
        let (left, right) = (set_of(&a, &extents), set_of(&b, &extents));
        assert_exact(&left, &a, &extents)?;
        prop_assert_eq!(left.is_empty(), !a.contains(&true));
        prop_assert_eq!(left.clone().normalised(&extents) == Elements::All, !a.is_empty() && !a.contains(&false));
        let mut union = left.clone();
        union.join(&right);
        let either: Vec<bool> = a.iter().zip(&b).map(|(a, b)| *a || *b).collect();
        assert_exact(&union, &either, &extents)?;
        let both: Vec<bool> = a.iter().zip(&b).map(|(a, b)| *a && *b).collect();
        assert_exact(&left.intersection(&right), &both, &extents)?;
        // `contains` may say no where that is hard to see, and may not say yes wrongly.
        let is_in = a.iter().zip(&b).all(|(a, b)| *a || !*b);
        prop_assert!(is_in || !left.contains(&right));
        prop_assert!(left.contains(&left) && union.contains(&left));
        prop_assert!(left.count(&extents) as usize >= a.iter().filter(|is_in| **is_in).count());
        prop_assert!(left.count(&extents) as usize <= a.len());
    }

    #[test]
    fn what_a_window_overwrites_is_gone((extents, a) in sets(3), ends in prop::collection::vec((0u64..5, 0u64..5), 3)) {
        let window: Vec<Intervals> = extents
            .iter()
            .zip(&ends)
            .map(|(extent, (start, length))| Intervals::range((*start).min(*extent), (start + length).min(*extent)))
            .collect();
        let rest = set_of(&a, &extents).without(&window, &extents);
        let expected: Vec<bool> = indices(&extents)
            .iter()
            .zip(&a)
            .map(|(index, is_in)| *is_in && !index.iter().zip(&window).all(|(at, set)| holds_index(set, *at)))
            .collect();
        assert_exact(&rest, &expected, &extents)?;
    }

    #[test]
    fn elements_arrive_where_the_definition_says(
        ((from, images, to), seed) in
            (shape(3).prop_flat_map(images), prop::collection::vec(prop::bool::weighted(0.4), 125)),
    ) {
        let inner = indices(&from);
        let a: Vec<bool> = inner.iter().zip(&seed).map(|(_, drawn)| *drawn).collect();
        let expected: Vec<bool> = indices(&to)
            .iter()
            .map(|there| inner.iter().zip(&a).any(|(index, is_in)| *is_in && arrives(&images, index, there)))
            .collect();
        let found = listed(&set_of(&a, &from).image(&images, &from, &to), &to);
        prop_assert!(found.iter().zip(&expected).all(|(found, expected)| *found || !*expected), "{found:?} {expected:?}");
        // One element at a time nothing is lost to diagonals or windows.
        for (position, index) in inner.iter().enumerate() {
            let single: Vec<bool> = (0..a.len()).map(|other| other == position).collect();
            let expected: Vec<bool> = indices(&to).iter().map(|there| arrives(&images, index, there)).collect();
            assert_exact(&set_of(&single, &from).image(&images, &from, &to), &expected, &to)?;
        }
        if inner.is_empty() {
            prop_assert!(Elements::All.image(&images, &from, &to).is_empty() || found.iter().all(|is_in| !is_in));
        }
    }

    #[test]
    fn reshaping_keeps_positions((from, to, a) in reshapes()) {
        let set = set_of(&a, &from);
        assert_exact(&set.reshaped(&from, &to), &a, &to)?;
        prop_assert_eq!(listed(&Elements::All.reshaped(&from, &to), &to), vec![true; a.len()]);
    }
}

/// Two shapes of equally many elements, and some of them.
fn reshapes() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<bool>)> {
    let factors = prop::collection::vec(prop::sample::select(vec![1u64, 1, 2, 2, 3]), 0..5);
    (factors, any::<u64>(), any::<bool>(), any::<u64>()).prop_map(|(factors, cuts, shuffled, seed)| {
        // Neighbouring factors are multiplied here and there, in one order and in another.
        let merge = |factors: &[u64], cuts: u64| {
            let mut shape: Vec<u64> = Vec::new();
            for (position, factor) in factors.iter().enumerate() {
                match shape.last_mut() {
                    Some(last) if cuts >> position & 1 == 1 => *last *= factor,
                    _ => shape.push(*factor),
                }
            }
            shape
        };
        let mut other = factors.clone();
        if shuffled {
            other.reverse();
        }
        let (from, to) = (merge(&factors, cuts), merge(&other, cuts >> 8));
        let count = from.iter().product::<u64>();
        let drawn = |position: u64| seed.rotate_left((position * 7 % 64) as u32) & 3 == 0;
        (from, to, (0..count).map(drawn).collect())
    })
}

#[test]
fn too_many_boxes_become_their_hull() {
    let mut set = Elements::none();
    for at in 0..60 {
        set.join(&Elements::cell([Intervals::range(2 * at, 2 * at + 1), Intervals::range(at, at + 1)]));
    }
    let Elements::Boxes(cells) = &set else { panic!("not everything") };
    assert!(cells.len() <= 48);
    for at in 0..60 {
        assert!(holds_element(&set, &[2 * at, at]));
    }
}

#[test]
fn everything_of_a_shape_without_elements_is_nothing() {
    assert!(Elements::All.cells(&[2, 0]).is_empty());
    assert_eq!(Elements::All.count(&[2, 0]), 0);
    let sums = [AxisImage::same(0), AxisImage::Gone];
    assert!(Elements::All.image(&sums, &[2, 0], &[2]).is_empty());
    assert_eq!(Elements::All.image(&[], &[], &[3]), Elements::All);
}

#[test]
fn a_tensor_that_is_too_large_to_count_is_no_trouble() {
    let extents = [1 << 47, 1 << 47];
    assert_eq!(Elements::All.count(&extents), u64::MAX);
    let row = Elements::cell([Intervals::range(5, 6), Intervals::full(1 << 47)]);
    assert_eq!(row.count(&extents), 1 << 47);
}
