//! `openloop budget`.

use super::*;
use serde_json::json;

const RARE: [&str; 7] = ["budget", "--prior", "1e-6", "--reward-gap", "0.3", "--learning-rate", "1"];

fn schema() -> Schema {
    Schema::read(include_str!("../../fixtures/schema/budget.schema.json"))
}

/// Checks the JSON of a question against its schema.
fn asked(folder: &Folder, arguments: &[&str]) -> Value {
    let answer = folder.run(&[arguments, &["--format", "json"]].concat()).ends(0).quietly();
    schema().check("the budget", &answer.out);
    answer.json()
}

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&RARE[..], more].concat()
}

/// The number in an answer.
fn after(answer: &Value) -> f64 {
    assert_eq!(answer["kind"], "after", "{answer}");
    answer["updates"].as_f64().expect("a number")
}

#[test]
fn law_and_runs_stand_side_by_side() {
    let folder = Folder::new();
    let budget = asked(&folder, &with(&["--group-size", "8"]));
    // 1 / (2 gap prior), and a group of 8 is its own baseline.
    let half = after(&budget["arrivals"][1]["law"]);
    assert!((half * 0.875 / (1.0 / 0.6e-6) - 1.0).abs() < 1e-3, "{budget}");
    let first = &budget["first_seen"];
    assert_eq!(
        (&first["median"]["updates"], &first["with_95_percent"]["updates"]),
        (&json!(86644.0), &json!(374467.0))
    );
    for arrival in budget["arrivals"].as_array().expect("a list") {
        let (law, runs) = (after(&arrival["law"]), &arrival["simulated"]);
        assert!(after(&runs["low"]) < law && law < after(&runs["high"]), "{arrival}");
    }
    let below = budget["wins_below_kl"]["coefficient"].as_f64().expect("a number");
    assert!((below - 0.3 / (1e6f64 - 1.0).ln()).abs() < 1e-12, "{below}");
    assert_eq!(budget["simulation"]["unfinished"], 0);

    let page = folder.run(&with(&["--group-size", "8"])).ends(0).quietly();
    let page = page.finds(&["1,904,813", "86,644", "374,467", "below 0.0217", "simulated, median", "├", "●", "100 %"]);
    assert_eq!(page.out, folder.run(&with(&["--group-size", "8"])).ends(0).out, "the same seed, the same page");
    assert_ne!(page.out, folder.run(&with(&["--group-size", "8", "--seed", "1"])).ends(0).out);
    for columns in ["60", "100", "140"] {
        let page = folder.run_in(&[("COLUMNS", columns)], &with(&["--group-size", "8"])).ends(0);
        for line in page.out.lines() {
            assert!(line.chars().count() <= columns.parse::<usize>().expect("a number").max(80), "{columns}: {line}");
        }
    }
}

#[test]
fn never_and_more_than_can_be_counted_are_answers() {
    let folder = Folder::new();
    let never = json!({"kind": "never"});
    let kinds = |budget: &Value| {
        let arrivals = budget["arrivals"].as_array().expect("a list");
        arrivals.iter().map(|arrival| arrival["law"]["kind"].as_str().expect("a word").to_string()).collect::<Vec<_>>()
    };
    let absent =
        ["budget", "--prior", "0", "--reward-gap", "5", "--learning-rate", "1", "--group-size", "8", "--law", "grpo"];
    let budget = asked(&folder, &absent);
    assert_eq!(kinds(&budget), ["never"; 3]);
    assert_eq!((&budget["first_seen"]["median"], &budget["wins_below_kl"]), (&never, &never));
    assert_eq!(budget["unseen"]["this_prior"], 1.0);
    folder.run(&absent).ends(0).finds(&["a plan that is not there is not selected"]);

    // Above the phase boundary it never wins; below it does.
    let held = asked(&folder, &with(&["--kl", "0.05", "--simulate", "0"]));
    assert_eq!((kinds(&held), &held["simulation"]), (vec!["never".into(); 3], &Value::Null));
    assert!(held["end_share"].as_f64().is_some_and(|share| share < 0.5 && share > 1e-6));
    assert_eq!(kinds(&asked(&folder, &with(&["--kl", "0.01", "--simulate", "0"]))), ["after"; 3]);
    // Half, but not 99 %.
    assert_eq!(kinds(&asked(&folder, &with(&["--kl", "0.02", "--simulate", "0"]))), ["after", "after", "never"]);

    let budget = asked(
        &folder,
        &["budget", "--prior", "1e-14", "--reward-gap", "0.1", "--learning-rate", "1e-3", "--simulate", "0"],
    );
    assert_eq!(kinds(&budget), ["more_than"; 3]);
    let less = ["budget", "--prior", "0.1", "--reward-gap", "-0.1", "--learning-rate", "1", "--simulate", "0"];
    folder.run(&less).ends(0).finds(&["never", "it is not pushed"]);
    let most = ["budget", "--prior", "0.6", "--reward-gap", "0.1", "--learning-rate", "1"];
    assert_eq!(asked(&folder, &most)["wins_below_kl"]["kind"], "always");
    assert_eq!(asked(&folder, &most)["arrivals"][0]["law"]["updates"], 0.0);
    // The ends of the scale.
    for law in ["softmax", "natural", "grpo"] {
        for (prior, kind) in [("1", "after"), ("1e-310", "more_than")] {
            let end = [
                "budget",
                "--prior",
                prior,
                "--reward-gap",
                "1",
                "--learning-rate",
                "1",
                "--law",
                law,
                "--group-size",
                "4",
            ];
            let budget = asked(&folder, &[&end[..], &["--kl", "1e-5"]].concat());
            assert_eq!(budget["arrivals"][1]["simulated"]["median"]["kind"], kind, "{budget}");
            folder.run(&end).ends(0).quietly();
        }
    }
}

#[test]
fn grpo_is_the_same_for_every_reward_and_softmax_is_not() {
    let folder = Folder::new();
    let of = |law: &str, gap: &str| {
        let arguments =
            ["--prior", "1e-3", "--reward-gap", gap, "--learning-rate", "0.5", "--group-size", "8", "--law", law];
        asked(&folder, &[&["budget", "--simulate", "10"], &arguments[..]].concat())["arrivals"].clone()
    };
    assert_eq!(of("grpo", "1e-9"), of("grpo", "1e9"));
    assert_ne!(of("softmax", "0.1"), of("softmax", "0.2"));
    // Equal rewards: every group is 0/0, and the guard says no step.
    assert_eq!(of("grpo", "0")[0]["law"]["kind"], "never");
}

#[test]
fn a_law_that_does_not_speak_of_single_runs_says_so() {
    let folder = Folder::new();
    let natural = with(&["--law", "natural", "--group-size", "8"]);
    folder.run(&natural).ends(0).finds(&["one sighting multiplies its odds", "Trust the runs"]);
    let budget = asked(&folder, &natural);
    let (law, runs) = (after(&budget["arrivals"][1]["law"]), &budget["arrivals"][1]["simulated"]);
    assert!(law < 100.0 && after(&runs["median"]) > 10_000.0, "{budget}");
    // Steps so small that a run does not come to its end are not passed over in silence.
    let small = ["budget", "--prior", "0.1", "--reward-gap", "1e-5", "--learning-rate", "0.01"];
    let budget = asked(&folder, &small);
    let half = &budget["arrivals"][1]["simulated"];
    assert_eq!((&budget["simulation"]["unfinished"], &half["median"]["kind"]), (&json!(1), &json!("unfinished")));
    folder.run(&small).ends(0).finds(&["not finished", "ended after 20,000,000 moves"]);
    // A plan that one unlucky sighting makes so rare that it never comes back is lost, not unfinished.
    let lost = ["budget", "--prior", "0.1", "--reward-gap", "-9", "--learning-rate", "9", "--law", "natural"];
    let budget = asked(&folder, &[&lost[..], &["--group-size", "2"]].concat());
    let half = &budget["arrivals"][1]["simulated"];
    assert_eq!((&budget["simulation"]["unfinished"], &half["median"]["kind"]), (&json!(0), &json!("never")));
}

#[test]
fn a_plot_is_written_whole_or_not_at_all() {
    let folder = Folder::new();
    folder.run(&with(&["--group-size", "8", "--plot", "a.svg", "-o", "page.txt"])).ends(0).quietly();
    assert_eq!(folder.names(), ["a.svg", "page.txt"]);
    let svg = folder.read("a.svg");
    for part in [
        "<svg xmlns",
        "<title>When the evading plan",
        ">updates</text>",
        ">share of the evading plan<",
        "<polyline",
        "50 %",
        "1 M",
        "</svg>",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    folder.run(&with(&["--plot", "none/a.svg"])).ends(2).complains(&["cannot write none/a.svg"]);
    let absent = ["budget", "--prior", "0", "--reward-gap", "1", "--learning-rate", "1", "--plot", "b.svg"];
    folder.run(&absent).ends(2).complains(&["b.svg", "nothing moves"]);
    assert_eq!(folder.names(), ["a.svg", "page.txt"]);
}

#[test]
fn wrong_numbers_are_named_with_what_was_expected() {
    let folder = Folder::new();
    for (more, says) in [
        (&["--prior", "2"][..], &["'2'", "--prior", "a number from 0 to 1"][..]),
        (&["--prior", "-.1"], &["'-.1'", "--prior", "a number from 0 to 1"]),
        (&["--prior", "nan"], &["'nan'", "--prior"]),
        (&["--reward-gap", "much"], &["'much'", "--reward-gap", "a finite number"]),
        (&["--reward-gap", "inf"], &["'inf'", "--reward-gap"]),
        (&["--learning-rate", "0"], &["'0'", "--learning-rate", "above 0"]),
        (&["--kl", "-1"], &["'-1'", "--kl", "0 or more"]),
        (&["--group-size", "1"], &["1", "--group-size", "2..=4096"]),
        (&["--samples", "0"], &["0", "--samples", "1.."]),
        (&["--simulate", "20000"], &["20000", "--simulate"]),
        (&["--law", "trpo"], &["'trpo'", "--law", "softmax, natural, grpo"]),
        (&["--law", "grpo"], &["required", "--group-size"]),
    ] {
        let kept = RARE[1..].chunks(2).filter(|pair| pair[0] != more[0]).flatten().copied();
        let arguments: Vec<&str> = ["budget"].into_iter().chain(kept).chain(more.iter().copied()).collect();
        folder.run(&arguments).ends(2).complains(says);
    }
    folder.run(&["budget"]).ends(2).complains(&["--prior", "--reward-gap", "--learning-rate"]);
}
