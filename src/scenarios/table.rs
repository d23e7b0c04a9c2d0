//! The table.
//!
//! Some expectations are said in the words of this checker rather than those of the first list of ideas. *Direct* includes
//! what is carried from step to step: running statistics (S13), replay by priority (S12) and plans (S3, S4) get there in a
//! later step, and paired runs with replayed data show it. A policy gradient changes which plan is thought next and not what
//! is believed, so S3 and S4 ask of both. Of infinities in the sums of a shared finite check only pairs that are not finite
//! tell. A plateau stops updates, which is timing; one that scaled a learning rate would be told as content, since nothing
//! in the graph says that a carried rate is never negative.

use super::{Answer, Case, Pairs, Scenario};
use crate::systems::{
    AttentionAvoidance, BanditQuestion, DeceptionBandit, GradientRouted, LanguageModel, LanguageModelQuestion,
    LanguageModelVariant as Model, ProbeTraining, ProbeTrainingQuestion, ProbeTrainingVariant as Training, Reference,
    RoutedVariant as Routed, SelfReward, Spillover, TwoBoxVariant as Boxes, TwoBoxes, TwoSteps,
};
use crate::verdict::{Channel, Verdict};

/// Nothing gets there.
const NONE: Answer = Answer {
    direct: Verdict::Holds,
    channel: Channel::None,
    indirect: Channel::None,
    replayed: Pairs::Same,
    free: None,
};

/// So much gets there directly, and paired runs show it.
const fn direct(channel: Channel) -> Answer {
    Answer { direct: Verdict::Violated, channel, replayed: Pairs::Differ, ..NONE }
}

/// Nothing gets there directly, but so much round through the world.
const fn indirect(channel: Channel) -> Answer {
    Answer { indirect: channel, free: Some(Pairs::Differ), ..NONE }
}

fn case(what: &'static str, system: impl Reference + 'static, expected: Answer) -> Case {
    Case { what, system: Box::new(system), expected }
}

fn boxes(what: &'static str, variant: Boxes, expected: Answer) -> Case {
    case(what, TwoBoxes::new(variant), expected)
}

fn bandit(what: &'static str, shares_features: bool, question: BanditQuestion, expected: Answer) -> Case {
    case(what, DeceptionBandit { shares_features, question }, expected)
}

fn model(what: &'static str, variant: Model, question: LanguageModelQuestion, expected: Answer) -> Case {
    case(what, LanguageModel { variant, question }, expected)
}

fn routed(what: &'static str, variant: Routed, expected: Answer) -> Case {
    case(what, GradientRouted::new(variant), expected)
}

fn training(what: &'static str, variant: Training, question: ProbeTrainingQuestion, expected: Answer) -> Case {
    case(what, ProbeTraining { variant, question }, expected)
}

fn spillover(what: &'static str, shares_parameters: bool, targets_reward: bool, expected: Answer) -> Case {
    case(what, Spillover { shares_parameters, targets_reward }, expected)
}

/// The scenarios, in order.
pub fn table() -> Vec<Scenario> {
    let scenario = |id, title, cases| Scenario { id, title, cases };
    vec![
        scenario(
            "S1",
            "two boxes on fixed data",
            vec![boxes("predictions train beliefs, temporal differences desires", Boxes::Clean, NONE)],
        ),
        scenario(
            "S2",
            "systems that act",
            vec![
                case(
                    "valence decides how clearly the friend is seen",
                    TwoBoxes { variant: Boxes::Clean, acts: true },
                    indirect(Channel::Content),
                ),
                case(
                    "a gaze that avoids what the probe dislikes",
                    AttentionAvoidance { senses_what_it_looks_at: true },
                    indirect(Channel::Content),
                ),
                case("the same gaze on a data set", AttentionAvoidance { senses_what_it_looks_at: false }, NONE),
            ],
        ),
        scenario(
            "S3",
            "plans that are given: one that the probe detects, one that it does not",
            vec![
                bandit("the plans, as they are believed", false, BanditQuestion::Beliefs, NONE),
                bandit("which plan is thought next", false, BanditQuestion::Choice, direct(Channel::Selection)),
            ],
        ),
        scenario(
            "S4",
            "plans that share features",
            vec![
                bandit("the plans, as they are believed", true, BanditQuestion::Beliefs, NONE),
                bandit("which plan is thought next", true, BanditQuestion::Choice, direct(Channel::Selection)),
            ],
        ),
        scenario(
            "S5",
            "a missed detach",
            vec![boxes("the temporal difference goes on into beliefs", Boxes::MissedDetach, direct(Channel::Content))],
        ),
        scenario(
            "S6",
            "one parameter set, and a probe on the live model",
            vec![
                model(
                    "the score is a loss",
                    Model::ProbeLoss,
                    LanguageModelQuestion::RewardToModel,
                    direct(Channel::Content),
                ),
                model(
                    "the score is a reward",
                    Model::Reinforce,
                    LanguageModelQuestion::RewardToModel,
                    direct(Channel::Content),
                ),
                model(
                    "the same, normalised over a group",
                    Model::Grpo,
                    LanguageModelQuestion::RewardToModel,
                    direct(Channel::Content),
                ),
                model(
                    "the same, into an adapter",
                    Model::Adapter,
                    LanguageModelQuestion::RewardToModel,
                    direct(Channel::Content),
                ),
            ],
        ),
        scenario(
            "S7",
            "a probe on a frozen copy",
            vec![
                model(
                    "the model, called belief",
                    Model::FrozenCopy,
                    LanguageModelQuestion::RewardToModel,
                    direct(Channel::Content),
                ),
                model("the copy, which the probe reads", Model::FrozenCopy, LanguageModelQuestion::RewardToCopy, NONE),
            ],
        ),
        scenario(
            "S8",
            "gradient clipping",
            vec![
                boxes("one clip over both boxes", Boxes::SharedClip, direct(Channel::Scale)),
                boxes("a clip for each box", Boxes::Clean, NONE),
            ],
        ),
        scenario(
            "S9",
            "optimizers and their masks",
            vec![
                boxes("gradients zeroed, one optimizer with decay", Boxes::ZeroedGradients, direct(Channel::Timing)),
                boxes("an optimizer for each box", Boxes::SplitOptimizers, NONE),
                boxes("a mask that passes gradients on", Boxes::MaskPassesGradients, direct(Channel::Content)),
            ],
        ),
        scenario(
            "S10",
            "tied parameters",
            vec![
                boxes("the valence is the head that predicts reward", Boxes::TiedHead, direct(Channel::Content)),
                routed("a tie that is masked on both uses", Routed::TiedMasked, NONE),
                routed("a tie that is masked on one use", Routed::TiedMaskedOnce, direct(Channel::Content)),
            ],
        ),
        scenario(
            "S11",
            "gradient routing",
            vec![
                routed("chosen by a mask", Routed::Where, NONE),
                routed(
                    "multiplied by a mask: zero times infinity",
                    Routed::Multiply,
                    Answer { replayed: Pairs::DifferIfNotFinite, ..direct(Channel::Content) },
                ),
                case(
                    "the same, where all is finite",
                    GradientRouted { variant: Routed::Multiply, assumes_finite: true },
                    Answer { replayed: Pairs::DifferIfNotFinite, ..NONE },
                ),
                routed("a residual connection around the mask", Routed::ResidualOpen, direct(Channel::Content)),
                routed("the same, masked too", Routed::ResidualClosed, NONE),
                routed("a wrong label on one datum", Routed::WrongLabel, direct(Channel::Content)),
                // Not in the first list of ideas: found when the closed route was first run for several steps.
                routed("predictions through trained desires", Routed::SharedForward, direct(Channel::Content)),
            ],
        ),
        scenario(
            "S12",
            "reward in the world model, and replay",
            vec![
                boxes(
                    "it predicts the reward with the probe in it",
                    Boxes::PredictsWholeReward,
                    direct(Channel::Content),
                ),
                boxes("it predicts the reward of the task alone", Boxes::Clean, NONE),
                boxes(
                    "surprise of the valence picks what is replayed",
                    Boxes::PrioritisedReplay,
                    direct(Channel::Selection),
                ),
                boxes("a coin picks what is replayed", Boxes::UniformReplay, NONE),
                case(
                    "what is imagined for its reward is remembered",
                    SelfReward { believes_what_it_imagines: true },
                    direct(Channel::Selection),
                ),
                case("what is imagined is not", SelfReward { believes_what_it_imagines: false }, NONE),
            ],
        ),
        scenario(
            "S13",
            "state that nobody thinks of",
            vec![
                boxes("running statistics of thoughts", Boxes::RunningStatistics, direct(Channel::Content)),
                boxes("a gradient buffer that is shared", Boxes::SharedBuffer, direct(Channel::Content)),
                boxes(
                    "one finite check over both boxes",
                    Boxes::SharedFiniteCheck,
                    Answer { replayed: Pairs::DifferIfNotFinite, ..direct(Channel::Timing) },
                ),
            ],
        ),
        scenario(
            "S14",
            "selection, schedules, random keys",
            vec![
                boxes("a checkpoint chosen by the reward", Boxes::CheckpointByReward, direct(Channel::Selection)),
                boxes("no update on a plateau of the reward", Boxes::PlateauByReward, direct(Channel::Timing)),
                boxes("one random key for exploration and dropout", Boxes::SharedKey, direct(Channel::Content)),
                boxes("a key for each", Boxes::KeyedStreams, NONE),
            ],
        ),
        scenario(
            "S15",
            "training of the probe, and what spills over",
            vec![
                training("a frozen probe", Training::Frozen, ProbeTrainingQuestion::Beliefs, NONE),
                training(
                    "a probe retrained on labels: beliefs",
                    Training::Retrained,
                    ProbeTrainingQuestion::Beliefs,
                    NONE,
                ),
                training(
                    "a probe retrained on labels: the probe",
                    Training::Retrained,
                    ProbeTrainingQuestion::Probe,
                    NONE,
                ),
                model(
                    "an adapter trained with the probe on labels: labels reach it",
                    Model::CoTrained,
                    LanguageModelQuestion::LabelsToModel,
                    direct(Channel::Content),
                ),
                model("the same: the reward does not", Model::CoTrained, LanguageModelQuestion::RewardToModel, NONE),
                training(
                    "a probe trained on its own output: beliefs",
                    Training::OwnOutput,
                    ProbeTrainingQuestion::Beliefs,
                    NONE,
                ),
                training(
                    "a probe trained on its own output: the probe",
                    Training::OwnOutput,
                    ProbeTrainingQuestion::Probe,
                    direct(Channel::Content),
                ),
                training("a gate that the truth opens", Training::GatedByTruth, ProbeTrainingQuestion::Probe, NONE),
                training(
                    "a gate that the score opens",
                    Training::GatedByScore,
                    ProbeTrainingQuestion::Probe,
                    direct(Channel::Content),
                ),
                spillover("a penalty on the output, one policy: the thought", true, false, direct(Channel::Content)),
                spillover("the same, reward targeted: parameters are shared", true, true, direct(Channel::Content)),
                spillover(
                    "mind and face apart: the output follows the thought",
                    false,
                    false,
                    direct(Channel::Content),
                ),
                spillover("mind and face apart, reward targeted", false, true, NONE),
                case("the return of a later step", TwoSteps { is_myopic: false }, direct(Channel::Content)),
                case("approval of one step at a time", TwoSteps { is_myopic: true }, NONE),
            ],
        ),
    ]
}
