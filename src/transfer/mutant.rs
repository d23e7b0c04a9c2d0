//! Faults that tests plant in the analysis, one at a time, to see that some test finds each.
//!
//! They are planted with the feature `mutants`, which this package turns on for its own tests and nobody else has a use for.
//! Without it nothing can be planted: [`slips`] is the constant `false`, and the rest of this module is not there.

#[cfg(feature = "mutants")]
mod planted;

#[cfg(feature = "mutants")]
pub use planted::{End, Mutant, Twist, plant, slips, twisted};
#[cfg(feature = "mutants")]
pub(crate) use planted::{edges_kept, image, keeps_summary_bit};

macro_rules! slips {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// A line of the analysis that is left out or turned round. (Mutants of rules that the registry lists are not written
        /// down here: tests make them from what the rules emit.)
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Slip { $($(#[$meta])* $name,)* }

        #[cfg(feature = "mutants")]
        impl Slip {
            /// Every slip.
            pub const ALL: &[Slip] = &[$(Slip::$name,)*];
        }
    };
}

slips! {
    // Whole tensors.
    /// What sources in a callee make of its results does not come back to the caller.
    CalleeSourcesForgotten,
    /// Whatever enters a function at one call may leave it at another.
    ContextsMixed,
    /// A loop's edges back are tried, and the loop does not run again.
    LoopRunsOnce,
    /// As [`Slip::LoopRunsOnce`], of loops that lie deep in others.
    DeepLoopRunsOnce,
    /// What the world learns it does not tell.
    WorldForgets,
    /// An operation that refers to a function with a source in it is no source.
    SymbolsHideSources,
    /// Nothing is carried from step to step.
    NothingIsCarried,
    /// A pair that is only possible carries for sure.
    PossibleIsSure,

    // What labelled values may say.
    /// A labelled boolean is used as a guard.
    LabelledGuard,
    /// What is made of labelled truth values is one itself.
    LabelledTruth,
    /// A comparison by size of a labelled value is a truth value.
    LabelledOrder,
    /// A labelled test says which branch is taken.
    LabelledBranch,
    /// What is known of a result in one run is kept though it is labelled.
    LabelledKnown,
    /// An input that is declared 0 or 1 is a guard though it is labelled.
    LabelledBinary,
    /// A source whose operands are known is folded.
    FoldedSource,

    // What guards mean.
    /// Any number is taken for 0 or 1.
    NumberAsBoolean,
    /// The complement of the bits of an integer is taken for a negation.
    BitsAsNegation,
    /// `a >= b` of floats is taken for `not (a < b)`.
    NanForgotten,
    /// The branches of an `if` are taken for each other.
    BranchesSwapped,
    /// The last branch of a `case` is taken only at its own index.
    LastBranchOnlyAtItsIndex,
    /// The sides of a `select` are taken for each other.
    SidesSwapped,
    /// Conditions of one step are kept for the next.
    GuardsCarried,
    /// Conditions of one iteration are kept for the next.
    GuardsOverBackEdges,
    /// Conditions of one replica are kept for all.
    GuardsOverCollectives,
    /// Conditions are kept over an operation that nobody looks into.
    GuardsOverUnknown,
    /// In the total order both zeros are one.
    ZerosAlike,
    /// A NaN is clamped to the lower bound.
    NanClamped,

    // What hides.
    /// A product with a zero hides the other operand, be it infinite.
    ProductHides,
    /// A product is zero where one of its operands is, be the other infinite.
    ProductIsZero,
    /// A sum is zero where its first operand is.
    SumIsZero,
    /// Integers do not wrap round.
    NothingWraps,
    /// Two draws of hidden random state are one value.
    DrawsAlike,
    /// Operations with different regions are one value.
    BodiesAlike,
    /// Operations on views of different lengths are one value.
    LengthsAlike,

    // Loops, regions, cuts.
    /// What an iteration makes of labels is not looked at again.
    IterationsStop,
    /// What a step makes of labels is not looked at again.
    StepsStop,
    /// A loop that is not unrolled is never widened.
    NeverWidened,
    /// A source in a region is not seen from outside.
    InteriorSourcesForgotten,
    /// What a region captures is not seen from outside.
    CapturesForgotten,
    /// A cut of a carried edge is not looked at.
    CarriedCutsForgotten,
}

/// Whether a test has planted this.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn slips(_: Slip) -> bool {
    false
}

/// Whether a summary says that this parameter reaches this result, if it does.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn keeps_summary_bit(_parameter: usize, _result: usize) -> bool {
    true
}
