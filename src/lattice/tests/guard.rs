use super::super::{Affine, Atom, Guard, Literal, Pick};
use super::*;

const EXTENTS: [u64; 2] = [2, 3];

/// Numbers 0 and 1 are boolean tensors, number 2 is a tensor that is compared with 5 and with 6; at most 12 elements.
fn literals() -> impl Strategy<Value = Literal> {
    let atom = prop::sample::select(vec![Atom::True(0), Atom::True(1), Atom::Equals(2, 5), Atom::Equals(2, 6)]);
    let map = (0i64..3, 0i64..3, 0i64..3)
        .prop_map(|(offset, row, column)| Affine { offset, strides: vec![row, column].into() });
    (atom, map, any::<bool>()).prop_map(|(atom, map, negated)| Literal { atom, map, negated })
}

/// A conjunction, and the literals in it; none if they exclude each other.
fn conjunction(literals: &[Literal]) -> Option<Guard> {
    literals.iter().try_fold(Guard::always(), |guard, literal| guard.and(&Guard::literal(literal.clone())))
}

/// The elements of the three tensors.
fn worlds() -> impl Strategy<Value = Vec<Vec<u64>>> {
    let truth = prop::collection::vec(0u64..2, 12);
    (truth.clone(), truth, prop::collection::vec(4u64..8, 12)).prop_map(|(a, b, c)| vec![a, b, c])
}

fn literal_holds(literal: &Literal, world: &[Vec<u64>], index: &[u64]) -> bool {
    let number = world[literal.atom.number() as usize][literal.map.at(index) as usize];
    let holds = match literal.atom {
        Atom::True(_) => number == 1,
        Atom::Equals(_, constant) => number == constant,
    };
    holds != literal.negated
}

fn guard_holds(guard: &Guard, world: &[Vec<u64>], index: &[u64]) -> bool {
    guard.literals().iter().all(|literal| literal_holds(literal, world, index))
}

proptest! {
    #[test]
    fn conditions_mean_what_they_say(
        first in prop::collection::vec(literals(), 0..4),
        second in prop::collection::vec(literals(), 0..4),
        world in worlds(),
    ) {
        let all = |literals: &[Literal], index: &[u64]| literals.iter().all(|literal| literal_holds(literal, &world, index));
        let (a, b) = (conjunction(&first), conjunction(&second));
        for index in indices(&EXTENTS) {
            let (in_a, in_b) = (all(&first, &index), all(&second, &index));
            match &a {
                None => prop_assert!(!in_a),
                Some(guard) => prop_assert_eq!(guard_holds(guard, &world, &index), in_a),
            }
            let (Some(a), Some(b)) = (&a, &b) else { continue };
            match a.and(b) {
                None => prop_assert!(!(in_a && in_b)),
                Some(both) => prop_assert_eq!(guard_holds(&both, &world, &index), in_a && in_b),
            }
            prop_assert_eq!(a.excludes(b), a.and(b).is_none());
            // Where either holds, what they have in common does.
            prop_assert!(guard_holds(&a.common(b), &world, &index) || !(in_a || in_b));
            prop_assert!(!a.is_weaker_than(b) || !in_b || in_a);
            prop_assert!(!in_a || guard_holds(&a.retain(|literal| literal.negated), &world, &index));
            prop_assert!(!in_a || guard_holds(&a.global(3), &world, &[0, 0, 0]));
        }
    }

    /// What is said of an element is said of it where it arrives, or not at all.
    #[test]
    fn conditions_move_with_elements(first in prop::collection::vec(literals(), 0..5), world in worlds(), back in any::<bool>()) {
        let Some(guard) = conjunction(&first) else { return Ok(()) };
        let step = if back { -1 } else { 1 };
        let turned = [Some(Pick::whole(1)), Some(Pick { axis: 0, start: i64::from(back), step })];
        let moved = guard.rearranged(&turned, &[3, 2]);
        prop_assert_eq!(moved.literals().len(), guard.literals().len());
        let reshaped = guard.reshaped(&EXTENTS, &[6]);
        let summed = guard.rearranged(&[Some(Pick::whole(1))], &[3]);
        for index in indices(&EXTENTS) {
            let holds = guard_holds(&guard, &world, &index);
            let row = if back { 1 - index[0] } else { index[0] };
            prop_assert_eq!(guard_holds(&moved, &world, &[index[1], row]), holds);
            prop_assert!(!holds || guard_holds(&reshaped, &world, &[position(&index, &EXTENTS) as u64]));
            prop_assert!(!holds || guard_holds(&summed, &world, &[index[1]]));
        }
    }
}

#[test]
fn of_too_many_literals_some_are_dropped() {
    let literal = |offset: i64| Literal { atom: Atom::True(0), map: Affine::constant(offset, 1), negated: false };
    let guard = conjunction(&(0..30).map(literal).collect::<Vec<_>>()).expect("nothing excludes anything");
    assert!(guard.literals().len() < 30);
    assert!((0..30).any(|offset| guard.literals().contains(&literal(offset))));
}

#[test]
fn only_the_same_element_contradicts() {
    let literal = |atom: Atom, offset: i64, negated: bool| {
        Guard::literal(Literal { atom, map: Affine::constant(offset, 1), negated })
    };
    let mask = literal(Atom::True(0), 1, false);
    assert!(mask.excludes(&literal(Atom::True(0), 1, true)));
    assert!(!mask.excludes(&literal(Atom::True(0), 2, true)));
    assert!(!mask.excludes(&literal(Atom::True(1), 1, true)));
    let five = literal(Atom::Equals(2, 5), 1, false);
    assert!(five.excludes(&literal(Atom::Equals(2, 6), 1, false)));
    assert!(!five.excludes(&literal(Atom::Equals(2, 6), 1, true)));
    assert!(!literal(Atom::Equals(2, 5), 1, true).excludes(&literal(Atom::Equals(2, 6), 1, true)));
}
