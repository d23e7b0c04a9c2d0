use super::*;
use crate::graph::{GraphBuilder, OperationKind};

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn path(text: &str) -> PytreePath {
    PytreePath::parse(text)
}

#[test]
fn a_refusal_says_what_was_found_what_is_expected_and_gives_an_example() {
    for (text, found, expected) in [
        ("", "nothing", "`scope:`"),
        ("probe_reward", "no colon", "`output:`"),
        ("skope:probe", "`skope:`", "`scope:`"),
        ("a:b:output:x", "`a:`", "`scope:`"),
        (":input:x", "no name before the first colon", "a graph's name"),
        ("scope:", "nothing after `scope:`", "a name"),
        ("input:  ", "nothing after `input:`", "a name"),
        ("scope:a//b", "an empty component", "single slashes"),
        ("scope:/a", "an empty component", "single slashes"),
        ("scope:pro**", "`pro**`", "`**` as a whole segment"),
        ("output:a..b", "an empty segment", "a segment"),
        ("output:a.", "an empty segment", "a segment"),
        ("output:a***.b", "`a***`", "`**` as a whole segment"),
        ("output:params['a", "`['a`", "closed"),
        ("output:params['a'", "`['a'`", "closed"),
        ("output:params[0", "`[0`", "closed"),
        ("output:params[]", "`[]`", "an index"),
        ("output:params[0]x", "`x` after a closed segment", "`.`"),
        ("output:\"a\"b", "`b` after a closed segment", "`.`"),
        ("output:a.\"b", "`\"b`", "closed"),
    ] {
        let error = Selector::parse(text).expect_err(text);
        assert!(error.found.contains(found), "{text}: {error}");
        assert!(error.expected.contains(expected), "{text}: {error}");
        let example = Selector::parse(error.example).expect("the example is a selector");
        assert_eq!(example.as_str(), error.example);
        assert!(error.to_string().contains("for example"));
    }
}

#[test]
fn paths_match_in_every_form_that_jax_prints() {
    for (pattern, leaf) in [
        ("output:**.beliefs.**", "result[0]['beliefs']['emb']"),
        ("output:**.beliefs.**", "result.1.0.mu.beliefs"),
        ("input:params['beliefs']['layers'][0]['w']", "params.beliefs.layers.0.w"),
        ("input:params.beliefs.layers.0.w", "params['beliefs']['layers'][0]['w']"),
        ("input:params['beliefs'].**", "params['beliefs']['layers'][0]['w']"),
        ("input:params[*].layers[?].**", "params['beliefs']['layers'][0]['w']"),
        ("input:params[**].w", "params['beliefs']['layers'][0]['w']"),
        ("input:opt_state[0].mu.*", "opt_state[0].mu['emb']"),
        ("input:.params.w", ".params.w"),
        ("input:**", ""),
        ("input:params.mlp/~/linear_*.w", "params['mlp/~/linear_0']['w']"),
        ("input:params.\"a.b\".w", "params['a.b']['w']"),
        ("input:params['a*']", "params['a*']"),
        ("input:params.\"\"", "params['']"),
        ("input:params['it\\'s']", "params[\"it's\"]"),
        ("input:é.ü?", "é.üß"),
    ] {
        assert!(selector(pattern).matches_path(&path(leaf)), "{pattern} should match {leaf}");
    }
    for (pattern, leaf) in [
        ("output:**.beliefs.**", "result.0.not_beliefs.emb"),
        ("output:**.beliefs", "result.0.beliefs.emb"),
        ("output:result.*", "result"),
        ("input:params['a*']", "params['ab']"),
        ("input:params.\"**\"", "params.a.b"),
        ("input:params.Beliefs", "params.beliefs"),
        ("scope:params", "params"),
    ] {
        assert!(!selector(pattern).matches_path(&path(leaf)), "{pattern} should not match {leaf}");
    }
}

#[test]
fn scopes_match_whole_components_and_nothing_else() {
    for (pattern, scope) in [
        ("scope:probe_reward", "jit(step)/jvp(probe_reward)/mul"),
        ("scope:probe_reward", "jit(step)/transpose(jvp(probe_reward))/mul"),
        ("scope:probe_reward", "probe_reward/mul"),
        ("scope:probe_reward", "jit(step)/opt/jvp(probe_reward)/inner/add"),
        ("scope:probe_*", "jit(step)/probe_reward/mul"),
        ("scope:world/probe", "jit(step)/jvp(world/probe)/mul"),
        ("scope:world/probe", "jit(step)/jvp(world)/probe/mul"),
        ("scope:world/probe", "jit(step)/world/jit(norm)/probe/mul"),
        ("scope:world/**/probe", "jit(step)/world/while/body/probe/mul"),
        ("scope:jit(probe_reward)", "jit(step)/jit(probe_reward)/mul"),
        ("scope:jit(probe_reward)", "jit(step)/jit(probe_reward)"),
        ("scope:transpose(jvp(probe_reward))", "jit(step)/transpose(jvp(probe_reward))/mul"),
        ("scope:transpose(*)", "jit(step)/transpose(jvp(probe_reward))/mul"),
        ("scope:jvp(outer/inner)", "jit(step)/jvp(outer/inner)/add"),
        ("scope:jit(step)/jvp(probe)", "jit(step)/jvp(probe)/add"),
        ("scope:**", "world/add"),
        ("scope:**", "add"),
        ("scope: probe_reward ", "probe_reward/mul"),
    ] {
        assert!(selector(pattern).matches_scope(scope), "{pattern} should match {scope}");
    }
    for (pattern, scope) in [
        ("scope:probe", "jit(step)/probe_reward/mul"),
        ("scope:mul", "jit(step)/probe_reward/mul"),
        ("scope:*", "jit(step)/mul"),
        ("scope:step", "jit(step)/mul"),
        ("scope:norm", "jit(step)/jit(norm)/mul"),
        ("scope:world/probe", "jit(step)/world/inner/probe/mul"),
        ("scope:world/mul", "world/mul"),
        ("scope:jvp(probe_reward)", "jit(step)/transpose(jvp(probe_reward))/mul"),
        ("scope:jit(step)/mul", "jit(step)/mul"),
        ("input:probe_reward", "probe_reward/mul"),
    ] {
        assert!(!selector(pattern).matches_scope(scope), "{pattern} should not match {scope}");
    }
}

#[test]
fn a_selector_may_name_its_graph() {
    let linked = selector("belief_step:output:result.0.**");
    assert_eq!((linked.graph(), linked.side()), (Some("belief_step"), Side::Output));
    assert!(linked.applies_to("belief_step") && !linked.applies_to("desire_step"));
    assert!(selector("output:**").applies_to("anything"));
    assert_eq!(linked.glob(), "result.0.**");
    assert_eq!(linked.to_string().parse::<Selector>(), Ok(linked));
    assert!(selector("input:a:b").matches_path(&PytreePath::new(["a:b"])));
    assert_eq!(selector("input:a:b").glob(), "a:b");
    // A graph cannot be named like a side, so this is a path.
    assert_eq!(selector("input:output:x").side(), Side::Input);
}

fn graph() -> TrainingGraph {
    let mut step = GraphBuilder::new("step");
    let beliefs = step.input("params.beliefs.w", "tensor<8xf32>");
    let desires = step.input("params.desires.w", "tensor<8xf32>");
    let thought = step.scope("world", |step| step.add(OperationKind::Tanh, &[beliefs]));
    let score = step
        .scope("jit(step)", |step| step.scope("jvp(probe_reward)", |step| step.add(OperationKind::Tanh, &[thought])));
    let cotangent = step.scope("transpose(jvp(probe_reward))", |step| {
        let one = step.constant("1.0", "tensor<8xf32>");
        step.add(OperationKind::Multiply, &[one, score])
    });
    step.output("result.0.beliefs.w", beliefs);
    step.output("result.0.desires.w", desires);
    step.output("result.1", cotangent);
    step.finish().expect("a graph")
}

#[test]
fn a_scope_picks_every_operation_in_it_forward_and_backward() {
    let graph = graph();
    let matched = selector("scope:probe_reward").resolve(&graph);
    let names: Vec<&str> = matched.operations.iter().map(|id| graph.operation_name(*id)).collect();
    assert_eq!(names, ["stablehlo.tanh", "stablehlo.constant", "stablehlo.multiply"]);
    assert!(matched.inputs.is_empty() && matched.outputs.is_empty());
}

#[test]
fn terminators_are_never_picked() {
    let mut builder = GraphBuilder::new("step");
    let x = builder.input("x", "tensor<f32>");
    builder.scope("all", |builder| {
        let y = builder.add(OperationKind::Tanh, &[x]);
        builder.output("y", y);
    });
    let graph = builder.finish().expect("a graph");
    let matched = selector("scope:**").resolve(&graph);
    assert!(matched.operations.iter().all(|id| !graph.operation(*id).kind.is_terminator()));
}

#[test]
fn fused_operations_are_in_all_their_scopes() {
    let mut builder = GraphBuilder::new("step");
    let x = builder.input("x", "tensor<f32>");
    let y = builder.add(OperationKind::Tanh, &[x]);
    builder.output("y", y);
    let scope = builder.scope_id("world/tanh\njit(step)/probe/tanh");
    let place = builder.no_place();
    builder.set_origin(Id::new(0), place, scope);
    let graph = builder.finish().expect("a graph");
    for text in ["scope:world", "scope:probe"] {
        assert_eq!(selector(text).resolve(&graph).operations.len(), 1, "{text}");
    }
    assert!(selector("scope:world/probe").resolve(&graph).is_empty());
}

#[test]
fn a_list_of_selectors_is_their_union() {
    let graph = graph();
    let selectors = ["scope:world", "scope:probe_*", "input:params.**", "input:**.w", "output:result.1"].map(selector);
    let matched = Selector::resolve_all(&selectors, &graph);
    assert_eq!(matched.operations.len(), 4);
    assert_eq!((&*matched.inputs, &*matched.outputs), (&[0, 1][..], &[2][..]));
    assert!(selector("scope:none").resolve(&graph).is_empty());
}

#[test]
fn sinks_are_grouped_by_the_subtree_that_the_pattern_names() {
    for (pattern, leaf, group) in [
        ("output:**.beliefs.**", "result.0.beliefs.layers.0.w", "result.0.beliefs"),
        ("output:**.beliefs.**", "result.1.0.mu.beliefs.beliefs", "result.1.0.mu.beliefs"),
        ("output:result.0.**", "result.0.beliefs.w", "result.0"),
        ("output:result.*.**", "result.0.beliefs.w", "result.0"),
        ("output:**.beliefs.*", "result.0.beliefs.w", "result.0"),
        ("output:**", "result.0.beliefs.w", "result.0"),
        ("output:**.**", "result", "result"),
        ("output:result", "result", "result"),
    ] {
        assert_eq!(selector(pattern).group_of(&path(leaf)), path(group), "{pattern} {leaf}");
    }
    let selectors = ["output:result.0.**", "output:**.beliefs.**"].map(selector);
    assert_eq!(sink_group(&selectors, &path("result.1.mu.beliefs.w")), path("result.1.mu.beliefs"));
    assert_eq!(sink_group(&selectors, &path("result.0.beliefs.w")), path("result.0"));
    assert_eq!(sink_group(&selectors, &path("a.b.c")), path("a.b"));
}
