use super::*;
use crate::graph::{GraphBuilder, TrainingGraph};
use crate::verdict::{Channel, Hop};

const WHOLE: &str = include_str!("../../../fixtures/policies/whole.toml");
const SYSTEM: &str = include_str!("../../../fixtures/policies/system.toml");

fn parse(text: &str) -> FlowPolicy {
    FlowPolicy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The error of a policy whose fault is marked: `⟨` stands before the place that the error must name.
fn refusal(marked: &str) -> PolicyError {
    let at = marked.find('⟨').expect("the fault is marked");
    let text = marked.replace('⟨', "");
    let error = FlowPolicy::parse(&text).expect_err(&text);
    let line = text[..at].matches('\n').count() + 1;
    assert_eq!(error.line, line, "{error}\n{text}");
    let span = error.span.clone().expect("a place");
    assert!(span.contains(&at) || span.start == at, "{error}: {span:?} does not hold {at}\n{text}");
    error
}

const HEAD: &str = "version = 1\n[groups]\nprobe = \"scope:probe_reward\"\nbeliefs = [\"output:**.beliefs.**\"]\n";
const LOOP: &str = "[[invariant]]\nname = \"loop\"\nfrom = [\"probe\"]\nto = [\"beliefs\"]\n";

fn whole(rest: &str) -> String {
    format!("{HEAD}{LOOP}{rest}")
}

#[test]
fn a_whole_policy_is_read() {
    let policy = parse(WHOLE);
    let [step, run, second] = policy.invariants() else { panic!("three entries") };
    assert_eq!((&*step.name, step.within), ("beliefs never see the probe reward", Within::Step));
    assert_eq!((&*run.name, run.within), ("beliefs never see the probe reward", Within::Run));
    assert_eq!(step.routes, [Route::Step, Route::Carried]);
    assert_eq!(run.routes, [Route::Step, Route::Carried, Route::Environment]);
    assert_eq!(step.assume, [Assumption::Finite, Assumption::Binary("batch.mask".into())]);
    assert!(step.bounds.is_empty() && run.bounds.is_empty());
    assert_eq!(second.bounds, Bounds { max_channel: Some(Channel::Scale), max_bits_per_step: Some(32) });
    let data: Vec<&str> = policy.data().iter().map(Selector::as_str).collect();
    assert_eq!(data, ["input:replay.**", "input:batch.**"]);
    let sources: Vec<&str> = step.from.iter().map(Selector::as_str).collect();
    assert_eq!(sources, ["scope:probe_reward", "input:probe.**"]);
    assert_eq!(second.within, Within::Run);
    assert_eq!(policy.requires().len(), 1);
    assert_eq!(policy.requires()[0].within, Within::Run);
    let edge = &policy.environment()[0];
    assert_eq!(edge.name.as_deref(), Some("acting"));
    let carried = policy.carried("any");
    assert_eq!(carried.pairs, [("result.0".into(), "params".into()), ("result.1".into(), "opt_state".into())]);
    assert_eq!(carried.terminal, [PytreePath::parse("result.2"), PytreePath::parse("result.3")]);
    let waivers = policy.waivers();
    assert_eq!(
        (&*waivers[0].reason, waivers[0].expires.to_string()),
        ("one clip for both boxes, see #12", "2027-01-31".into())
    );
    assert_eq!(waivers[0].owner.as_deref(), Some("ada"));
    assert_eq!(waivers[1].expires.to_string(), "2027-02-28");
    let outcome = policy.apply_waivers(Date::parse("2027-02-01").expect("a day"), &["probe parameters stay out"]);
    assert_eq!(outcome.findings[0].problem, "expired");
    assert!(outcome.reason("probe parameters stay out").is_some());
}

#[test]
fn without_within_both_are_entries_of_their_own() {
    let withins = |text: &str| parse(text).invariants().iter().map(|entry| entry.within).collect::<Vec<_>>();
    assert_eq!(withins(&whole("")), [Within::Step, Within::Run]);
    assert_eq!(withins(&whole("within = [\"run\", \"step\", \"run\"]")), [Within::Step, Within::Run]);
    assert_eq!(withins(&whole("within = \"step\"")), [Within::Step]);
}

#[test]
fn unknown_keys_are_refused_with_their_line() {
    for text in [
        format!("{HEAD}{LOOP}⟨witin = \"run\"\n"),
        format!("version = 1\n⟨foo = 2\n{LOOP}"),
        format!("{HEAD}{LOOP}[[⟨waivers]]\n"),
        format!("{HEAD}{LOOP}[[require]]\n⟨nam = \"x\"\n"),
        format!("{HEAD}{LOOP}[[link]]\n⟨form = \"x\"\n"),
        format!("{HEAD}{LOOP}[[environment]]\n⟨outputs = \"x\"\n"),
        format!("{HEAD}{LOOP}[[graph]]\n⟨path = \"x\"\n"),
        format!("{HEAD}{LOOP}[[waiver]]\n⟨because = \"x\"\n"),
    ] {
        assert!(refusal(&text).message.contains("unknown field"), "{text}");
    }
}

#[test]
fn the_version_comes_first() {
    assert!(FlowPolicy::parse("").expect_err("no version").help.expect("help").contains("version = 1"));
    for version in ["2", "\"1\"", "1.0", "[1]"] {
        let error = refusal(&format!("version = ⟨{version}\nkey_of_the_future = 3\n"));
        assert!(error.message.contains(&format!("found version {version}")), "{error}");
    }
}

#[test]
fn broken_toml_is_refused_with_its_line() {
    for text in ["version = 1\n[groups\n", "version = 1\n[[invariant]]\nname = \"a\nfrom = 3", "version = 1\nx = = 2"] {
        let error = FlowPolicy::parse(text).expect_err(text);
        assert!(error.line >= 2 && error.column > 0 && error.span.is_some(), "{error:?}");
    }
    let error = refusal("version = 1\n[groups]\nprobe = ⟨3\n");
    assert!(error.message.contains("a string or a list of strings"), "{error}");
    refusal("version = 1\n[groups]\nprobe = [\"scope:x\", ⟨3]\n");
    refusal("version = 1\n[groups]\nprobe = \"scope:x\"\n⟨probe = \"scope:y\"\n");
}

#[test]
fn faults_of_invariants_are_refused_with_their_line() {
    for (text, message, help) in [
        (format!("{HEAD}⟨[[invariant]]\nfrom = \"probe\"\nto = \"beliefs\"\n"), "no `name`", ""),
        (format!("{HEAD}[[invariant]]\nname = ⟨\" \"\nfrom = \"probe\"\n"), "`name` is empty", ""),
        (format!("{HEAD}⟨[[invariant]]\nname = \"a\"\nto = \"beliefs\"\n"), "no `from`", ""),
        (format!("{HEAD}⟨[[invariant]]\nname = \"a\"\nfrom = \"probe\"\n"), "no `to`", ""),
        (format!("{HEAD}[[invariant]]\nname = \"a\"\nfrom = ⟨[]\nto = \"beliefs\"\n"), "`from` is empty", ""),
        (format!("{HEAD}[[invariant]]\nname = \"a\"\nfrom = \"probe\"\nto = ⟨[]\n"), "`to` is empty", ""),
        (format!("{HEAD}[[invariant]]\nname = \"a\"\nfrom = [\"probe\", ⟨\"prob\"]\n"), "neither a group", "`probe`"),
        (format!("{HEAD}[[invariant]]\nname = \"a\"\nfrom = ⟨\"skope:x\"\n"), "found `skope:`", ""),
        (format!("{HEAD}[[invariant]]\nname = \"a\"\nfrom = ⟨\"beliefs\"\n"), "for `from` of an invariant", ""),
        (format!("{HEAD}[[invariant]]\nname = \"a\"\nfrom = \"probe\"\nto = ⟨\"probe\"\n"), "expected `output:`", ""),
        (format!("{HEAD}{LOOP}{}", LOOP.replace("\"loop\"", "⟨\"loop\"")), "have the name `loop`", ""),
        (whole("within = ⟨\"forever\"\n"), "found within `forever`", ""),
        (whole("within = ⟨[]\n"), "`within` is empty", ""),
        (whole("assume = [\"finite\", ⟨\"goodwill\"]\n"), "found the assumption `goodwill`", ""),
        (whole("assume = ⟨\"binary:\"\n"), "the path of one input", ""),
        (whole("assume = ⟨\"binary:batch.*\"\n"), "the path of one input", ""),
        (whole("max_channel = ⟨\"loud\"\n"), "expected `timing`, `scale`, `selection`, or `none`", ""),
        (whole("max_channel = ⟨\"content\"\n"), "`content` would let everything through", "max_bits_per_step"),
        (whole("max_channel = ⟨3\n"), "found 3, expected a channel", ""),
        (whole("max_bits_per_step = ⟨-1\n"), "found -1, expected a number of bits", ""),
        (whole("max_bits_per_step = ⟨1.5\n"), "found 1.5, expected a number of bits", ""),
        (whole("max_bits_per_step = ⟨\"32\"\n"), "found \"32\", expected a number of bits", ""),
        (whole("max_channel = \"none\"\nmax_bits_per_step = ⟨1\n"), "denies every flow", "keep one"),
        (whole("routes = [⟨\"air\"]\n"), "found the route `air`", ""),
        (whole("routes = ⟨[\"carried\"]\n"), "always denied", "within = \"step\""),
        (whole("within = \"step\"\nroutes = ⟨[\"environment\"]\n"), "more than one step", ""),
    ] {
        let error = refusal(&text);
        assert!(error.message.contains(message), "{error}\n{text}");
        assert!(error.help.clone().unwrap_or_default().contains(help), "{error:?}\n{text}");
    }
}

#[test]
fn an_invariant_can_be_bounded_instead_of_denied() {
    let bounds = |more: &str| {
        let policy = parse(&whole(more));
        let entries = policy.invariants();
        assert!(entries.iter().all(|entry| entry.bounds == entries[0].bounds), "one entry, one bound");
        (entries[0].bounds.max_channel, entries[0].bounds.max_bits_per_step)
    };
    assert_eq!(bounds(""), (None, None));
    assert_eq!(bounds("max_channel = \"timing\"\n"), (Some(Channel::Timing), None));
    assert_eq!(bounds("max_channel = \"selection\"\n"), (Some(Channel::Selection), None));
    assert_eq!(bounds("max_bits_per_step = 0\n"), (None, Some(0)));
    let both = "max_channel = \"scale\"\nmax_bits_per_step = 32\n";
    assert_eq!(bounds(both), (Some(Channel::Scale), Some(32)));
    assert_eq!(bounds("max_channel = \"none\"\n"), (None, None), "a denial is no bound");
}

#[test]
fn assumptions_are_read_once_each() {
    let policy = parse(&whole("assume = [\"binary:batch.mask\", \"finite\", \"binary:batch['mask']\"]\n"));
    let binary = Assumption::Binary(PytreePath::parse("batch.mask"));
    assert_eq!(policy.invariants()[0].assume, [binary, Assumption::Finite]);
}

#[test]
fn data_is_a_list_of_inputs_and_groups_of_them() {
    let data = "version = 1\ndata = [\"stored\", \"input:batch.**\"]\n[groups]\nstored = \"input:replay.**\"\n";
    let rest = LOOP.replace("\"probe\"", "\"scope:p\"").replace("\"beliefs\"", "\"output:b.**\"");
    let policy = parse(&format!("{data}{rest}"));
    let texts: Vec<&str> = policy.data().iter().map(Selector::as_str).collect();
    assert_eq!(texts, ["input:replay.**", "input:batch.**"]);
    assert!(parse(&whole("")).data().is_empty());
    for (text, message) in [
        ("version = 1\ndata = [⟨\"output:batch\"]\n", "expected `input:` for `data` of a policy"),
        ("version = 1\ndata = [\"input:x\", ⟨\"batch\"]\n", "neither a group nor a selector"),
        ("version = 1\ndata = ⟨3\n", "a string or a list of strings"),
        ("version = 1\ndata = ⟨[]\n", "`data` is empty"),
    ] {
        let error = refusal(text);
        assert!(error.message.contains(message), "{error}\n{text}");
    }
}

#[test]
fn an_input_that_is_named_must_be_there() {
    let step = graph(&[("batch.mask", "tensor<8xf32>")], &[("result.0", "tensor<f32>")]);
    let edges = |policy: &FlowPolicy| policy.system_edges(&[("step", &step)]);
    let data = |path: &str| format!("version = 1\ndata = \"input:{path}\"\n{}", &whole("")["version = 1\n".len()..]);
    edges(&parse(&whole("assume = \"binary:batch.mask\"\n"))).expect("it is there");
    edges(&parse(&data("batch.**"))).expect("it is there");
    for (text, line, message) in [
        (whole("assume = \"binary:batch.msk\"\n"), 9, "no input is `batch.msk`"),
        (whole("assume = \"binary:batch\"\n"), 9, "no input is `batch`"),
        (data("batsh.**"), 2, "`input:batsh.**` matches nothing"),
    ] {
        let error = edges(&parse(&text)).expect_err("it is not there");
        assert!(error.line == line && error.message.contains(message), "{error}\n{text}");
        assert!(error.help.expect("help").contains("input:batch"), "{text}");
    }
}

#[test]
fn faults_of_groups_are_refused_with_their_line() {
    for (text, message) in [
        ("version = 1\n[groups]\n⟨probe = []\n", "the group `probe` is empty"),
        ("version = 1\n[groups]\n⟨\"scope:probe\" = \"scope:x\"\n", "cannot name a group"),
        ("version = 1\n[groups]\n⟨\"\" = \"scope:x\"\n", "cannot name a group"),
        ("version = 1\n[groups]\nprobe = [\"scope:a\", ⟨\"probe\"]\n", "is no selector"),
        ("version = 1\n[groups]\nprobe = ⟨\"rollout:scope:x\"\n", "no [[graph]] has this name"),
    ] {
        let error = refusal(text);
        assert!(error.message.contains(message), "{error}\n{text}");
    }
}

#[test]
fn a_policy_that_denies_nothing_is_refused() {
    let error = FlowPolicy::parse(HEAD).expect_err("no invariant");
    assert!(error.message.contains("denies nothing"));
    assert!(error.help.expect("help").contains("fill in"));
}

#[test]
fn faults_of_waivers_are_refused_with_their_line() {
    let waiver = |lines: &str| whole(&format!("[[waiver]]\n{lines}"));
    for (text, message) in [
        (waiver("invariant = ⟨\"loup\"\nreason = \"r\"\nexpires = 2027-01-31\n"), "no invariant has the name"),
        (waiver("invariant = \"loop\"\nreason = ⟨\"  \"\nexpires = 2027-01-31\n"), "`reason` is empty"),
        (waiver("invariant = \"loop\"\nreason = \"r\"\nexpires = ⟨\"2027-02-29\"\n"), "no day of the calendar"),
        (waiver("invariant = \"loop\"\nreason = \"r\"\nexpires = ⟨3\n"), "`3` is no day"),
        (waiver("invariant = \"loop\"\nreason = \"r\"\nexpires = ⟨2027-01-31T00:00:00Z\n"), "is no day"),
        (whole("⟨[[waiver]]\nreason = \"r\"\nexpires = 2027-01-31\n"), "no `invariant`"),
        (whole("⟨[[waiver]]\ninvariant = \"loop\"\nexpires = 2027-01-31\n"), "no `reason`"),
        (whole("⟨[[waiver]]\ninvariant = \"loop\"\nreason = \"r\"\n"), "no `expires`"),
    ] {
        let error = refusal(&text);
        assert!(error.message.contains(message), "{error}\n{text}");
    }
    let one = "[[waiver]]\ninvariant = \"loop\"\nreason = \"r\"\nexpires = 2027-01-31\n";
    assert!(refusal(&whole(&format!("{one}⟨{one}"))).message.contains("two waivers of `loop`"));
}

#[test]
fn faults_of_carried_values_are_refused_with_their_line() {
    for (text, message) in [
        (whole("[carried]\n\"result.0\" = ⟨true\n"), "found true"),
        (whole("[carried]\n⟨result.0 = \"params\"\n"), "quotes"),
        (whole("[carried]\n⟨\"\" = \"params\"\n"), "needs a path"),
        (whole("[carried]\n\"result.0\" = ⟨\"\"\n"), "needs a path"),
        (whole("[carried]\n⟨\"result.*\" = \"params\"\n"), "without wildcards"),
        (whole("[carried]\n\"result\" = ⟨\"params.**\"\n"), "without wildcards"),
    ] {
        let error = refusal(&text);
        assert!(error.message.contains(message), "{error}\n{text}");
    }
}

#[test]
fn faults_of_systems_are_refused_with_their_line() {
    let graphs = "[[graph]]\nname = \"a\"\nfile = \"a.mlir\"\n[[graph]]\nname = \"b\"\nfile = \"b.mlir\"\n";
    let system = |rest: &str| whole(&format!("{graphs}{rest}"));
    for (text, message) in [
        (whole("⟨[[graph]]\nname = \"a\"\n"), "no `file`"),
        (whole("[[graph]]\nname = ⟨\"a:b\"\nfile = \"x\"\n"), "cannot name a graph"),
        (whole("[[graph]]\nname = ⟨\"output\"\nfile = \"x\"\n"), "cannot name a graph"),
        (system("[[graph]]\nname = ⟨\"a\"\nfile = \"x\"\n"), "two graphs named `a`"),
        (system("[[link]]\nfrom = ⟨\"output:x.**\"\nto = \"b:input:x.**\"\n"), "expected a graph before it"),
        (system("[[link]]\nfrom = ⟨\"a:input:x.**\"\nto = \"b:input:x.**\"\n"), "expected `output:`"),
        (system("[[link]]\nfrom = ⟨\"c:output:x.**\"\nto = \"b:input:x.**\"\n"), "no [[graph]] has this name"),
        (system("[[link]]\nfrom = ⟨\"a:output:**.x.**\"\nto = \"b:input:x.**\"\n"), "without wildcards"),
        (system("⟨[[link]]\nfrom = \"a:output:x\"\nto = \"a:input:x\"\n"), "from one graph to another"),
        (system("⟨[[link]]\nfrom = \"a:output:x\"\n"), "no `to`"),
        (system("[carried]\n⟨\"result.0\" = \"params\"\n"), "of which graph"),
        (system("[carried]\n\"a:result.0\" = ⟨\"b:params\"\n"), "stays in its graph"),
        (whole("⟨[[environment]]\noutput = \"output:x\"\n"), "no `input`"),
        (whole("[[environment]]\ninput = \"input:x\"\noutput = ⟨\"input:x\"\n"), "expected `output:`"),
    ] {
        let error = refusal(&text);
        assert!(error.message.contains(message), "{error}\n{text}");
    }
}

#[test]
fn flags_make_a_policy() {
    let selectors = |texts: &[&str]| texts.iter().map(|text| Selector::parse(text).expect(text)).collect::<Vec<_>>();
    let (sources, sinks) = (selectors(&["scope:probe", "input:probe.**"]), selectors(&["output:**.beliefs.**"]));
    let both =
        FlowPolicy::from_flags(sources.clone(), sinks.clone(), None, vec![Assumption::Finite]).expect("a policy");
    let withins: Vec<Within> = both.invariants().iter().map(|entry| entry.within).collect();
    assert_eq!(withins, [Within::Step, Within::Run]);
    assert_eq!(both.invariants()[0].name, "scope:probe, input:probe.** must not reach output:**.beliefs.**");
    let run = FlowPolicy::from_flags(sources.clone(), sinks.clone(), Some(Within::Run), vec![]).expect("a policy");
    assert_eq!(run.invariants().len(), 1);
    for (from, to) in [
        (vec![], sinks.clone()),
        (sources.clone(), vec![]),
        (sinks.clone(), sinks.clone()),
        (sources.clone(), sources.clone()),
        (selectors(&["a:scope:x"]), sinks.clone()),
    ] {
        let error = FlowPolicy::from_flags(from, to, None, vec![]).expect_err("refused");
        assert_eq!((error.line, &error.span), (0, &None));
    }
    let bounds = |max_channel| Bounds { max_channel, max_bits_per_step: Some(32) };
    let bounded = run.clone().with_bounds(bounds(Some(Channel::Scale))).expect("a policy");
    assert_eq!(bounded.invariants()[0].bounds, bounds(Some(Channel::Scale)));
    for refused in [Channel::Content, Channel::None] {
        let error = run.clone().with_bounds(bounds(Some(refused))).expect_err("refused");
        assert!(error.help.is_some() && error.span.is_none(), "{error}");
    }
    let batch = selectors(&["input:batch.**"]);
    assert_eq!(run.clone().with_data(batch.clone()).expect("a policy").data(), batch);
    for refused in ["output:batch", "scope:batch", "rollout:input:batch"] {
        let error = run.clone().with_data(selectors(&[refused])).expect_err(refused);
        assert_eq!((error.line, &error.span), (0, &None));
    }
    let mask = Assumption::Binary(PytreePath::parse("batch.mask"));
    let step = graph(&[("batch.x", "tensor<f32>")], &[("result", "tensor<f32>")]);
    let assumed = FlowPolicy::from_flags(sources, sinks, None, vec![mask]).expect("a policy");
    let error = assumed.system_edges(&[("step", &step)]).expect_err("no mask");
    assert_eq!((error.line, &error.span), (0, &None));
}

fn graph(inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> TrainingGraph {
    let mut step = GraphBuilder::new("step");
    for (path, r#type) in inputs {
        step.input(*path, r#type);
    }
    for (path, r#type) in outputs {
        let value = step.constant("0.0", r#type);
        step.output(*path, value);
    }
    step.finish().expect("a graph")
}

#[test]
fn links_pair_equal_tails_of_equal_type() {
    let policy = parse(SYSTEM);
    let names: Vec<&str> = policy.graphs().iter().map(|graph| &*graph.name).collect();
    assert_eq!(names, ["belief_step", "desire_step"]);
    assert_eq!(policy.carried("belief_step").pairs.len(), 1);
    assert_eq!(policy.carried("desire_step").terminal.len(), 1);
    let (w, b) = ("tensor<8xf32>", "tensor<f32>");
    let belief = graph(
        &[("beliefs.w", w), ("batch.tokens", w)],
        &[("result.0.b", b), ("result.0.unused", b), ("result.0.w", w), ("result.1", b)],
    );
    let desire = graph(&[("beliefs.w", w), ("beliefs.b", b)], &[("result.0.policy.w", w)]);
    let edges = policy.system_edges(&[("belief_step", &belief), ("desire_step", &desire)]).expect("edges");
    let edges: Vec<_> = edges.iter().map(|edge| (edge.from, edge.to, edge.hop())).collect();
    assert_eq!(edges, [((0, 0), (1, 1), Hop::Link), ((0, 2), (1, 0), Hop::Link), ((1, 0), (0, 1), Hop::Environment)]);

    let other = graph(&[("beliefs.w", b), ("beliefs.x", b)], &[("result.0.policy.w", w)]);
    let error = policy.system_edges(&[("belief_step", &belief), ("desire_step", &other)]).expect_err("unpaired");
    assert!(error.line > 0 && error.message.contains("`beliefs.w` is tensor<f32>, but `result.0.w` is tensor<8xf32>"));
    assert!(error.message.contains("`beliefs.x` has no output of equal path"), "{error}");

    let error = policy.system_edges(&[("belief_step", &belief)]).expect_err("a graph is missing");
    assert!(error.message.contains("was not given"), "{error}");
}

#[test]
fn a_declared_edge_that_matches_nothing_is_refused_with_what_is_near() {
    let policy = parse(&whole("[[environment]]\noutput = \"output:result.polcy\"\ninput = \"input:batch.**\"\n"));
    let step = graph(&[("batch.x", "tensor<f32>")], &[("result.policy", "tensor<f32>")]);
    let error = policy.system_edges(&[("step", &step)]).expect_err("nothing");
    assert!(error.message.contains("matches nothing") && error.line == 9, "{error}");
    assert!(error.help.expect("help").contains("output:result.policy"));
}
