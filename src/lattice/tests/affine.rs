use super::super::{Affine, Pick};
use super::*;

/// A map that broadcasting, slicing and transposing may give: any strides, 0 where the extent is 1.
fn maps(extents: Vec<u64>) -> impl Strategy<Value = (Vec<u64>, Affine)> {
    let rank = extents.len();
    (-5i64..20, prop::collection::vec(-6i64..7, rank)).prop_map(move |(offset, strides)| {
        let strides = strides.iter().zip(&extents).map(|(stride, extent)| if *extent == 1 { 0 } else { *stride });
        (extents.clone(), Affine { offset, strides: strides.collect() })
    })
}

proptest! {
    #[test]
    fn the_identity_counts_in_row_major_order(extents in shape(4)) {
        let map = Affine::identity(&extents);
        for index in indices(&extents) {
            prop_assert_eq!(map.at(&index), position(&index, &extents) as i64);
        }
    }

    /// The element at an index of the rearranged tensor is where it was.
    #[test]
    fn rearranged_maps_show_the_same_positions(
        (extents, map) in shape(3).prop_flat_map(maps),
        picks in prop::collection::vec((0usize..4, 0i64..4, 1i64..3, any::<bool>()), 0..4),
        to in prop::collection::vec(1u64..4, 4),
    ) {
        let mut taken = Vec::new();
        let picks: Vec<Option<Pick>> = picks
            .iter()
            .map(|(axis, start, step, back)| {
                let free = *axis < extents.len() && !taken.contains(axis);
                taken.push(*axis);
                free.then_some(Pick { axis: *axis, start: *start, step: if *back { -step } else { *step } })
            })
            .collect();
        let to = &to[..picks.len()];
        let shown = |index: &[u64], others: i64| -> i64 {
            let mut inner = vec![others; extents.len()];
            for (pick, at) in picks.iter().zip(index) {
                if let Some(pick) = pick {
                    inner[pick.axis] = pick.start + pick.step * *at as i64;
                }
            }
            inner.iter().zip(&map.strides).fold(map.offset, |sum, (at, stride)| sum + at * stride)
        };
        match map.rearranged(&picks, to) {
            Some(rearranged) => {
                for index in indices(to) {
                    for others in 0..3 {
                        prop_assert_eq!(rearranged.at(&index), shown(&index, others));
                    }
                }
                prop_assert!(rearranged.strides.iter().zip(to).all(|(stride, extent)| *stride == 0 || *extent != 1));
            }
            // There is none only where a dimension that is not shown matters.
            None => {
                let is_shown = |axis: usize| picks.iter().flatten().any(|pick| pick.axis == axis);
                prop_assert!((0..extents.len()).any(|axis| map.strides[axis] != 0 && !is_shown(axis)));
            }
        }
    }

    /// The element at a position in row-major order stays at that position.
    #[test]
    fn reshaped_maps_show_the_same_positions(
        factors in prop::collection::vec(prop::sample::select(vec![1u64, 1, 2, 3]), 0..5),
        (cuts, other) in (any::<u8>(), any::<u8>()),
        zeros in any::<u8>(),
        offset in 0i64..9,
    ) {
        let merge = |cuts: u8| {
            let mut shape: Vec<u64> = Vec::new();
            for (position, factor) in factors.iter().enumerate() {
                match shape.last_mut() {
                    Some(last) if cuts >> position & 1 == 1 => *last *= factor,
                    _ => shape.push(*factor),
                }
            }
            shape
        };
        let (from, to) = (merge(cuts), merge(other));
        let mut map = Affine::identity(&from);
        map.offset = offset;
        for (axis, stride) in map.strides.iter_mut().enumerate().filter(|(axis, _)| zeros >> axis & 1 == 1) {
            *stride = if axis % 2 == 0 { 0 } else { *stride * 5 };
        }
        let all = |map: &Affine, extents: &[u64]| indices(extents).iter().map(|at| map.at(at)).collect::<Vec<_>>();
        if let Some(reshaped) = map.reshaped(&from, &to) {
            prop_assert_eq!(all(&reshaped, &to), all(&map, &from));
            prop_assert!(reshaped.strides.iter().zip(&to).all(|(stride, extent)| *stride == 0 || *extent != 1));
        }
        let identity = Affine::identity(&from);
        prop_assert_eq!(identity.reshaped(&from, &to), Some(Affine::identity(&to)));
    }
}

#[test]
fn a_constant_map_fits_every_shape() {
    let map = Affine::constant(7, 2);
    assert!(map.is_constant());
    assert_eq!(map.reshaped(&[2, 3], &[6]), Some(Affine::constant(7, 1)));
    assert_eq!(map.rearranged(&[None, None, None], &[2, 2, 2]), Some(Affine::constant(7, 3)));
    assert_eq!(map.reshaped(&[0, 3], &[0]), None);
}
