//! A validator for the part of JSON Schema 2020-12 that the schemas of this repository use. A keyword that it does not
//! know is an error, so that no schema says more than is checked.

use openloop::graph::{Attribute, Dense, Digest, Elements, GraphBuilder, TrainingGraph, dictionary};
use openloop::verdict::*;
use serde_json::Value;

use super::fakes;

pub struct Schema {
    root: Value,
}

impl Schema {
    pub fn read(text: &str) -> Schema {
        Schema { root: serde_json::from_str(text).expect("a schema is JSON") }
    }

    /// Fails with the first place that does not fit.
    pub fn check(&self, name: &str, text: &str) {
        if let Some(error) = self.errors(text) {
            panic!("{name}: {error}");
        }
    }

    /// The first place that does not fit.
    pub fn errors(&self, text: &str) -> Option<String> {
        let value: Value = serde_json::from_str(text).expect("it is JSON");
        self.validate(&self.root, &value, "$").err()
    }

    fn validate(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let schema = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => return Err(format!("{at}: nothing is allowed here")),
            schema => schema.as_object().expect("a schema is an object"),
        };
        for (keyword, rule) in schema {
            match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "properties" | "prefixItems" => {}
                "$ref" => {
                    let pointer = rule.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
                    let target = self.root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} does not exist"));
                    self.validate(target, value, at)?;
                }
                "const" => ensure(value == rule, at, "is not the constant")?,
                "enum" => ensure(array(rule).contains(value), at, "is none of the words")?,
                "type" => {
                    let names = match rule {
                        Value::Array(names) => names.iter().collect(),
                        name => vec![name],
                    };
                    ensure(
                        names.iter().any(|name| has_type(value, name.as_str().expect("a name"))),
                        at,
                        "has another type",
                    )?;
                }
                "minimum" => {
                    let negative = value.as_i64().is_some_and(|number| Some(number) < rule.as_i64());
                    ensure(!negative, at, "is too small")?;
                }
                "minItems" => ensure(
                    value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().expect("a number")),
                    at,
                    "is too short",
                )?,
                "pattern" => ensure(matches(rule.as_str().expect("text"), value), at, "does not match")?,
                "required" => {
                    for name in array(rule) {
                        let name = name.as_str().expect("a name");
                        ensure(
                            value.as_object().is_none_or(|object| object.contains_key(name)),
                            at,
                            &format!("has no `{name}`"),
                        )?;
                    }
                }
                "additionalProperties" => {
                    let known = schema.get("properties").and_then(Value::as_object);
                    for (name, item) in value.as_object().into_iter().flatten() {
                        let at = format!("{at}.{name}");
                        match known.and_then(|known| known.get(name)) {
                            Some(property) => self.validate(property, item, &at)?,
                            None => self.validate(rule, item, &at)?,
                        }
                    }
                }
                "items" => {
                    let first = schema.get("prefixItems").map_or(&[][..], |prefix| array(prefix));
                    for (position, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.validate(first.get(position).unwrap_or(rule), item, &format!("{at}[{position}]"))?;
                    }
                }
                "oneOf" | "anyOf" => {
                    let fits = array(rule).iter().filter(|schema| self.validate(schema, value, at).is_ok()).count();
                    ensure(fits == 1 || (keyword == "anyOf" && fits > 0), at, &format!("fits {fits} of the choices"))?;
                }
                other => panic!("{at}: the schema uses `{other}`, which this validator does not know"),
            }
        }
        let objects = schema.get("properties").is_some();
        assert!(!objects || schema.contains_key("additionalProperties"), "{at}: the schema leaves an object open");
        Ok(())
    }
}

fn ensure(fits: bool, at: &str, problem: &str) -> Result<(), String> {
    if fits { Ok(()) } else { Err(format!("{at} {problem}")) }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    }
}

/// The two patterns that there are.
fn matches(pattern: &str, value: &Value) -> bool {
    let Some(text) = value.as_str() else { return true };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    match pattern {
        "^[0-9a-f]{64}$" => digits && text.len() == 64,
        "^[0-9a-f]*$" => digits,
        other => panic!("this validator does not know the pattern {other}"),
    }
}

/// A report in which everything is set.
pub fn certified() -> RunReport {
    let mut report = fakes::waived();
    let witnesses = report.invariants[0].witnesses.clone();
    let certificate = |verdict, evidence| Certificate {
        version: CERTIFICATE_VERSION,
        digests: vec![Digest::parse(&"0a".repeat(32)).expect("64 digits")],
        names: Vec::new(),
        within: Within::Run,
        from: vec!["scope:probe_reward".into()],
        to: vec!["output:**".into()],
        carried: vec![(fakes::path("result.0"), fakes::path("params"))],
        terminal: vec![fakes::path("result.2.loss")],
        edges: vec![CertificateEdge {
            from: (0, fakes::path("result.0.desires")),
            to: (1, fakes::path("batch.tokens")),
            hop: Hop::Environment,
        }],
        assume: vec![Assumption::Finite],
        bits_per_step: Some(32),
        cut: vec![CutElement { graph: 0, instance: Vec::new(), value: 9, boxes: Vec::new() }],
        verdict,
        evidence,
    };
    let functions = vec![FunctionLabels { origins: 6, rows: "0a03".into() }];
    let labels = Evidence::Labels(vec![GraphLabels { functions, world: false }]);
    report.invariants[0].certificate = Some(certificate(Verdict::Violated, Evidence::Paths(witnesses)));
    report.invariants[1].certificate = Some(certificate(Verdict::Holds, labels));
    let refined = RefinedEvidence {
        assume: vec![Assumption::Finite, Assumption::Binary(fakes::path("batch.mask"))],
        cut: vec![CutElement {
            graph: 1,
            instance: vec![(3, None), (7, Some(2))],
            value: 12,
            boxes: vec![vec![vec![(0, 4), (6, 8)], vec![(0, 1)]]],
        }],
        bounds: Bounds { max_channel: Some(Channel::Selection), max_bits_per_step: Some(64) },
        channels: vec![ChannelClaim {
            sink: (0, fakes::path("result.0.beliefs.w")),
            channel: Channel::Timing,
            pivots: vec![CutElement { graph: 0, instance: Vec::new(), value: 3, boxes: Vec::new() }],
        }],
        data: vec!["input:memory.**".into()],
    };
    report.invariants[2].certificate = Some(certificate(Verdict::Holds, Evidence::Refined(refined)));
    report
}

/// A graph with an attribute of every kind.
pub fn graph_with_every_attribute() -> TrainingGraph {
    let dense = |elements| Attribute::Dense(Dense { r#type: "tensor<f32>".into(), elements });
    let kinds = [
        Attribute::Unit,
        Attribute::Boolean(true),
        Attribute::Integer(-3),
        Attribute::Number("1.5e3".into()),
        Attribute::String("s".into()),
        Attribute::Symbol("f".into()),
        Attribute::Type("f32".into()),
        Attribute::Keyword("LT".into()),
        Attribute::Integers([0, -1].into()),
        Attribute::Booleans([true].into()),
        Attribute::Array([Attribute::Unit, Attribute::Integer(1)].into()),
        Attribute::Dictionary(dictionary(vec![("k".into(), Attribute::Unit)])),
        dense(Elements::Inline("1.0".into())),
        dense(Elements::Resource("blob".into())),
        dense(Elements::Array("1.0".into())),
        Attribute::Other("#x".into()),
    ];
    let attributes = kinds.into_iter().enumerate().map(|(position, kind)| (format!("a{position:02}").into(), kind));
    let mut b = GraphBuilder::new("m");
    let x = b.input("x", "tensor<f32>");
    b.resource("blob", "0x00");
    b.carry("result", "x");
    let y = b.scope("probe", |b| {
        b.at("a.py", 3);
        b.add_typed("somebody.operation", &[x], &["tensor<f32>"], attributes.collect())
    });
    b.output("result", y[0]);
    b.finish().expect("the graph is valid")
}
