//! Refined labels on real steps.
use super::corpus;
use openloop::flow::refined::{Assumed, Question, refine};
use openloop::flow::{Crossings, Port, Sources, System, propagate};
use openloop::policy::Selector;
use openloop::verdict::Within;
use serde_json::Value;

#[test]
fn table() {
    for step in steps() {
        let name = corpus::name(&step);
        let graph = corpus::graph(&step.join("step.mlir"));
        let json: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
        let sinks = json["sinks"].as_str().map_or_else(
            || match name.as_bytes()[0] {
                b'a' => "output:result.0.**".into(),
                b'e' => "output:result.0.params.beliefs.**".into(),
                _ => "output:result.0.beliefs.**".into(),
            },
            str::to_string,
        );
        let scope = format!("scope:{}", json["source_scope"].as_str().unwrap());
        let found = Selector::parse(&scope).unwrap().resolve(&graph);
        let mut sources = Sources::default();
        sources.add(0, found.operations, found.inputs);
        let sinks: Vec<Port> = Selector::parse(&sinks)
            .unwrap()
            .resolve(&graph)
            .outputs
            .into_iter()
            .map(|position| Port { graph: 0, position })
            .collect();
        let mut system = System::new([&graph]);
        if let Ok(pairs) = graph.carried_pairs(&Default::default()) {
            system.carry(0, &pairs);
        }
        let mut line = format!("{name:28}");
        for within in [Within::Step, Within::Run] {
            let counted = Crossings::within(within);
            let coarse = propagate(&system, &sources, counted);
            let n = |f: &dyn Fn(Port) -> bool| sinks.iter().filter(|p| f(**p)).count();
            let c = n(&|p| coarse.output(p).is_some());
            let mut r = Vec::new();
            let t = std::time::Instant::now();
            for finite in [false, true] {
                match refine(
                    &system,
                    &Question {
                        sources: &sources,
                        counted,
                        assumed: &Assumed { finite, binary: vec![] },
                        ends: &[],
                        cut: &[],
                    },
                ) {
                    Ok(x) => r.push(format!(
                        "{}({}n {}e)",
                        n(&|p| x.output(p).is_some()),
                        x.leak.nodes.len(),
                        x.leak.edges.len()
                    )),
                    Err(_) => r.push("limit".to_string()),
                }
            }
            let m = if within == Within::Step { "1" } else { "4" };
            let truth = ["measured_changed_sink_outputs", "measured_changed_belief_outputs"]
                .iter()
                .find_map(|k| json.get(*k))
                .unwrap()[m]
                .to_string();
            line += &format!(" | {:?} coarse {c} refined {} truth {truth} {:?}", within, r.join(" "), t.elapsed());
        }
        println!("{line}");
    }
}

#[test]
fn channels_table() {
    use openloop::flow::explain::{Channels, capacity};
    for step in steps() {
        let name = corpus::name(&step);
        let graph = corpus::graph(&step.join("step.mlir"));
        let json: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
        let sinks = json["sinks"].as_str().map_or_else(
            || match name.as_bytes()[0] {
                b'a' => "output:result.0.**".into(),
                b'e' => "output:result.0.params.beliefs.**".into(),
                _ => "output:result.0.beliefs.**".into(),
            },
            str::to_string,
        );
        let scope = format!("scope:{}", json["source_scope"].as_str().unwrap());
        let found = Selector::parse(&scope).unwrap().resolve(&graph);
        let mut sources = Sources::default();
        sources.add(0, found.operations, found.inputs);
        let sinks: Vec<Port> = Selector::parse(&sinks)
            .unwrap()
            .resolve(&graph)
            .outputs
            .into_iter()
            .map(|position| Port { graph: 0, position })
            .collect();
        let declared: Vec<String> = json["data"]
            .as_array()
            .map(|l| l.iter().map(|s| s.as_str().unwrap().to_string()).collect())
            .unwrap_or_default();
        let data: Vec<Port> = declared
            .iter()
            .flat_map(|s| Selector::parse(s).unwrap().resolve(&graph).inputs)
            .map(|position| Port { graph: 0, position })
            .collect();
        let mut system = System::new([&graph]);
        let pairs = graph.carried_pairs(&Default::default());
        if let Ok(pairs) = &pairs {
            system.carry(0, pairs);
        }
        let mut line = format!("{name:28}");
        let mut assumed = Assumed::default();
        for a in json["assume"].as_array().into_iter().flatten() {
            let a = a.as_str().unwrap();
            if a == "finite" {
                assumed.finite = true
            } else if let Some(p) = a.strip_prefix("binary:") {
                assumed.binary.extend(
                    graph.inputs().enumerate().filter(|(_, (path, _))| path.to_string() == p).map(|(i, _)| (0, i)),
                );
            }
        }
        for within in [Within::Step, Within::Run] {
            let counted = Crossings::within(within);
            let x =
                refine(&system, &Question { sources: &sources, counted, assumed: &assumed, ends: &sinks, cut: &[] })
                    .unwrap();
            let mut ch = Channels::new(&system, &x.leak, &sinks, &data);
            let mut all = std::collections::BTreeMap::new();
            for s in &sinks {
                let keeps =
                    pairs.as_ref().ok().and_then(|p| p.pairs.iter().find(|p| p.output == s.position).map(|p| p.input));
                let c = ch.of(*s, keeps);
                *all.entry((c.channel, c.reason)).or_insert(0) += 1;
            }
            let cap = capacity(&system, &x.leak, &sinks, None);
            let worst = all.keys().next_back().cloned();
            let w = within.as_str();
            let want = json["expected_channel"][w].as_str().unwrap_or("?");
            let got = worst.as_ref().map(|w| w.0.as_str()).unwrap_or("none");
            let b = cap.as_ref().map(|c| c.bits);
            if want == got && json["expected_bits_at_most"][w].as_u64().is_none_or(|w| b.is_some_and(|b| b <= w)) {
                continue;
            }
            line += &format!(
                " | {w} {:?} {} n={:?} bits {:?} want {} {}",
                worst.as_ref().map(|w| w.0),
                worst.as_ref().map(|w| w.1.clone()).unwrap_or_default(),
                all.values().collect::<Vec<_>>(),
                cap.map(|c| (c.bits, c.exact)),
                json["expected_channel"][w],
                json["expected_bits_at_most"][w]
            );
        }
        println!("{line}");
    }
}

fn steps() -> Vec<std::path::PathBuf> {
    match std::env::var("OL_JAX") {
        Err(_) => corpus::steps(),
        Ok(root) => {
            let mut v: Vec<_> = std::fs::read_dir(root)
                .unwrap()
                .map(|e| e.unwrap().path())
                .filter(|p| p.join("step.mlir").exists())
                .collect();
            v.sort();
            v
        }
    }
}
