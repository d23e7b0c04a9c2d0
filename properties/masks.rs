//! Random steps of small tensors with masks, moves, branches, loops, calls and constants, as text.
//!
//! Few shapes and a liking for complements: what one mask lets through another often stops, so there is much to prove.

use std::collections::BTreeMap;

use super::elements::Random;

/// Statements of a random step draw on these.
#[derive(Clone, Default)]
struct Pools(BTreeMap<&'static str, Vec<String>>);

impl Pools {
    fn add(&mut self, of: &'static str, name: String) {
        self.0.entry(of).or_default().push(name);
    }
}

pub struct Writer<'r> {
    random: &'r mut Random,
    names: usize,
    /// Vectors that the source seems to reach: they are wanted more often.
    reached: Vec<String>,
}

const INPUTS: &[(&str, &str)] = &[
    ("x", "4xf32"),
    ("z", "4xf32"),
    ("m", "4xi1"),
    ("o", "4xi1"),
    ("route", "4xi32"),
    ("length", "4xi32"),
    ("p", "i1"),
    ("k", "i32"),
    ("c", "f32"),
];

const HELPERS: &str =
    "  func.func private @where(%c: tensor<4xi1>, %a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
    %r = stablehlo.select %c, %a, %b : tensor<4xi1>, tensor<4xf32>
    return %r : tensor<4xf32>
  }
  func.func private @masked(%c: tensor<4xi1>, %a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi1>) {
    %n = stablehlo.not %c : tensor<4xi1>
    %z = stablehlo.constant dense<0.0> : tensor<4xf32>
    %r = stablehlo.select %n, %a, %z : tensor<4xi1>, tensor<4xf32>
    return %r, %n : tensor<4xf32>, tensor<4xi1>
  }
";

impl<'r> Writer<'r> {
    pub fn new(random: &'r mut Random) -> Self {
        Writer { random, names: 0, reached: Vec::new() }
    }

    /// A step whose outputs are `result.sink.v0` and so on; what is source is in the scope `probe`.
    pub fn step(mut self) -> String {
        let mut pools = Pools::default();
        INPUTS.iter().for_each(|(name, of)| pools.add(of, format!("%{name}")));
        let mut body = String::new();
        for _ in 0..1 + self.random.below(2) {
            body += &self.source(&mut pools);
        }
        for _ in 0..8 + self.random.below(22) {
            body += &self.statement(&mut pools, 2);
        }
        // The last of what was made, and the values that are carried.
        let mut outputs: Vec<(String, &str, String)> = Vec::new();
        for (position, of) in ["4xf32", "4xf32", "4xf32", "4xi32", "2xf32"].iter().enumerate() {
            let value = if *of == "4xf32" { self.wanted(&pools) } else { self.late(&pools, of) };
            if let Some(value) = value {
                outputs.push((format!("sink.v{position}"), of, value));
            }
        }
        let arguments: Vec<String> =
            INPUTS.iter().map(|(name, of)| format!("%{name}: tensor<{of}> loc(\"{name}\")")).collect();
        let results: Vec<String> = outputs
            .iter()
            .map(|(name, of, _)| format!("tensor<{of}> {{jax.result_info = \"result.{name}\"}}"))
            .collect();
        let values: Vec<String> = outputs.iter().map(|(_, _, value)| value.clone()).collect();
        let types: Vec<String> = outputs.iter().map(|(_, of, _)| format!("tensor<{of}>")).collect();
        format!(
            "module @step {{\n  func.func public @main({}) -> ({}) {{\n{body}    return {} : {}\n  }}\n{HELPERS}}}\n",
            arguments.join(", "),
            results.join(", "),
            values.join(", "),
            types.join(", ")
        )
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("%v{}", self.names)
    }

    /// Any value of a type; late ones are likelier.
    fn late(&mut self, pools: &Pools, of: &str) -> Option<String> {
        let known = pools.0.get(of)?;
        let back = self.random.below(known.len()).min(self.random.below(known.len()));
        known.get(known.len() - 1 - back).cloned()
    }

    fn source(&mut self, pools: &mut Pools) -> String {
        let name = self.name();
        let scope = "loc(\"step/probe/op\")";
        let (of, text) = match self.random.below(8) {
            0 => ("4xi1", format!("stablehlo.not %m : tensor<4xi1> {scope}")),
            1 => ("i32", format!("stablehlo.constant dense<1> : tensor<i32> {scope}")),
            2 => ("i1", format!("stablehlo.not %p : tensor<i1> {scope}")),
            3 => ("4xf32", format!("stablehlo.constant dense<0.0> : tensor<4xf32> {scope}")),
            _ => ("4xf32", format!("stablehlo.tanh %x : tensor<4xf32> {scope}")),
        };
        pools.add(of, name.clone());
        if of == "4xf32" {
            self.reached.push(name.clone());
        }
        format!("    {name} = {text}\n")
    }

    /// One statement, or nothing if there is nothing to make it of.
    fn statement(&mut self, pools: &mut Pools, depth: usize) -> String {
        let before = pools.0["4xf32"].len();
        let text = self.try_statement(pools, depth).unwrap_or_default();
        let takes = |name: &String| text.contains(&format!("{name},")) || text.contains(&format!("{name} "));
        if self.reached.iter().any(takes) {
            self.reached.extend_from_slice(&pools.0["4xf32"][before..]);
        }
        text
    }

    /// A vector, often one that the source reaches.
    fn wanted(&mut self, pools: &Pools) -> Option<String> {
        let visible: Vec<&String> = self.reached.iter().filter(|name| pools.0["4xf32"].contains(name)).collect();
        match self.random.below(3) {
            0 | 1 if !visible.is_empty() => {
                let back = self.random.below(visible.len()).min(self.random.below(visible.len()));
                Some(visible[visible.len() - 1 - back].clone())
            }
            _ => self.late(pools, "4xf32"),
        }
    }

    fn try_statement(&mut self, pools: &mut Pools, depth: usize) -> Option<String> {
        let make = |writer: &mut Self, pools: &mut Pools, of: &'static str, text: String| {
            let name = writer.name();
            pools.add(of, name.clone());
            Some(format!("    {name} = {text}\n"))
        };
        macro_rules! of {
            ($of:literal) => {
                self.late(pools, $of)?
            };
        }
        match self.random.below(if depth > 0 { 46 } else { 40 }) {
            0 | 1 => Some(self.source(pools)),
            2..=7 => {
                let (c, mut a, mut b) = (of!("4xi1"), self.wanted(pools)?, of!("4xf32"));
                if self.random.below(2) == 0 {
                    std::mem::swap(&mut a, &mut b);
                }
                make(self, pools, "4xf32", format!("stablehlo.select {c}, {a}, {b} : tensor<4xi1>, tensor<4xf32>"))
            }
            8 => {
                let (c, a, b) = (of!("i1"), of!("4xf32"), of!("4xf32"));
                make(self, pools, "4xf32", format!("stablehlo.select {c}, {a}, {b} : tensor<i1>, tensor<4xf32>"))
            }
            9..=12 => {
                let a = of!("4xi1");
                make(self, pools, "4xi1", format!("stablehlo.not {a} : tensor<4xi1>"))
            }
            13 => {
                let (a, b) = (of!("4xi1"), of!("4xi1"));
                let kind = *self.random.pick(&["and", "or", "xor", "add", "multiply", "minimum"]);
                make(self, pools, "4xi1", format!("stablehlo.{kind} {a}, {b} : tensor<4xi1>"))
            }
            14 | 15 => {
                let (a, b) = (of!("4xi32"), of!("4xi32"));
                let way = *self.random.pick(&["EQ", "NE", "LT", "LE", "GT", "GE"]);
                make(
                    self,
                    pools,
                    "4xi1",
                    format!(
                        "stablehlo.compare {way}, {a}, {b}, SIGNED : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>"
                    ),
                )
            }
            16 => {
                let (a, b) = (of!("4xf32"), of!("4xf32"));
                let way = *self.random.pick(&["EQ", "NE", "LT", "LE", "GT", "GE"]);
                let kind = *self.random.pick(&["FLOAT", "FLOAT", "TOTALORDER"]);
                make(
                    self,
                    pools,
                    "4xi1",
                    format!(
                        "stablehlo.compare {way}, {a}, {b}, {kind} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>"
                    ),
                )
            }
            17 => {
                let text = *self.random.pick(&[
                    "dense<0> : tensor<4xi32>",
                    "dense<1> : tensor<4xi32>",
                    "dense<[0, 1, 2, 3]> : tensor<4xi32>",
                    "dense<[1, 0, 1, 0]> : tensor<4xi32>",
                ]);
                make(self, pools, "4xi32", format!("stablehlo.constant {text}"))
            }
            18 => {
                let list = *self.random.pick(&["0.0", "1.0", "-0.0", "[0.0, 0.0, 1.0, 1.0]", "[1.0, 0.0, 0.0, 1.0]"]);
                make(self, pools, "4xf32", format!("stablehlo.constant dense<{list}> : tensor<4xf32>"))
            }
            19 => {
                let list = *self.random.pick(&["true", "[true, true, false, false]", "[false, true, false, true]"]);
                make(self, pools, "4xi1", format!("stablehlo.constant dense<{list}> : tensor<4xi1>"))
            }
            20 => {
                let a = of!("4xi1");
                let to = *self.random.pick(&["4xi32", "4xf32"]);
                make(self, pools, to, format!("stablehlo.convert {a} : (tensor<4xi1>) -> tensor<{to}>"))
            }
            21 | 22 => {
                let (a, b) = (self.wanted(pools)?, of!("4xf32"));
                let kind = *self.random.pick(&["add", "subtract", "multiply", "maximum", "divide"]);
                make(self, pools, "4xf32", format!("stablehlo.{kind} {a}, {b} : tensor<4xf32>"))
            }
            23 | 24 => {
                let (a, b) = (of!("4xi32"), of!("4xi32"));
                let kind = *self.random.pick(&["add", "subtract", "multiply", "maximum", "and", "or", "minimum"]);
                make(self, pools, "4xi32", format!("stablehlo.{kind} {a}, {b} : tensor<4xi32>"))
            }
            25 => {
                let a = of!("4xf32");
                let kind = *self.random.pick(&["bitcast_convert", "convert"]);
                make(self, pools, "4xi32", format!("stablehlo.{kind} {a} : (tensor<4xf32>) -> tensor<4xi32>"))
            }
            26 | 27 => {
                let (element, two) = *self.random.pick(&[("4xf32", "2xf32"), ("4xi1", "2xi1")]);
                let a = self.late(pools, element)?;
                let range = *self.random.pick(&["0:2", "1:3", "2:4", "0:4:2", "1:4:2"]);
                make(self, pools, two, format!("stablehlo.slice {a} [{range}] : (tensor<{element}>) -> tensor<{two}>"))
            }
            28 | 29 => {
                let (two, four) = *self.random.pick(&[("2xf32", "4xf32"), ("2xi1", "4xi1")]);
                let (a, b) = (self.late(pools, two)?, self.late(pools, two)?);
                let text = format!(
                    "stablehlo.concatenate {a}, {b}, dim = 0 : (tensor<{two}>, tensor<{two}>) -> tensor<{four}>"
                );
                make(self, pools, four, text)
            }
            30 => {
                let of = *self.random.pick(&["4xf32", "4xi1"]);
                let a = self.late(pools, of)?;
                make(self, pools, of, format!("stablehlo.reverse {a}, dims = [0] : tensor<{of}>"))
            }
            31 => {
                let (four, square) = *self.random.pick(&[("4xf32", "2x2xf32"), ("4xi1", "2x2xi1")]);
                let (from, to) = if self.random.below(2) == 0 { (four, square) } else { (square, four) };
                let a = self.late(pools, from)?;
                make(self, pools, to, format!("stablehlo.reshape {a} : (tensor<{from}>) -> tensor<{to}>"))
            }
            32 => {
                let of = *self.random.pick(&["2x2xf32", "2x2xi1"]);
                let a = self.late(pools, of)?;
                make(
                    self,
                    pools,
                    of,
                    format!("stablehlo.transpose {a}, dims = [1, 0] : (tensor<{of}>) -> tensor<{of}>"),
                )
            }
            33 => {
                let (of, to) = *self.random.pick(&[("4xi1", "i1"), ("2xi1", "i1")]);
                let a = self.late(pools, of)?;
                let unit = self.name();
                let kind = *self.random.pick(&["or", "and"]);
                let line = make(
                    self,
                    pools,
                    to,
                    format!(
                        "stablehlo.reduce({a} init: {unit}) applies stablehlo.{kind} across dimensions = [0] : \
                         (tensor<{of}>, tensor<i1>) -> tensor<i1>"
                    ),
                )?;
                Some(format!("    {unit} = stablehlo.constant dense<false> : tensor<i1>\n{line}"))
            }
            34 => {
                let (from, to) = *self.random.pick(&[("i1", "4xi1"), ("f32", "4xf32"), ("i32", "4xi32")]);
                let a = self.late(pools, from)?;
                let text = format!("stablehlo.broadcast_in_dim {a}, dims = [] : (tensor<{from}>) -> tensor<{to}>");
                make(self, pools, to, text)
            }
            35 => {
                let (a, k) = (of!("4xf32"), of!("i32"));
                let size = *self.random.pick(&["2", "4"]);
                let to = if size == "2" { "2xf32" } else { "4xf32" };
                let text = format!(
                    "stablehlo.dynamic_slice {a}, {k}, sizes = [{size}] : (tensor<4xf32>, tensor<i32>) -> tensor<{to}>"
                );
                make(self, pools, to, text)
            }
            36 => {
                let (a, b, k) = (of!("4xf32"), of!("2xf32"), of!("i32"));
                let text = format!(
                    "stablehlo.dynamic_update_slice {a}, {b}, {k} : (tensor<4xf32>, tensor<2xf32>, tensor<i32>) -> \
                     tensor<4xf32>"
                );
                make(self, pools, "4xf32", text)
            }
            37 => {
                let (a, value) = (of!("2xf32"), of!("f32"));
                let (low, high) = *self.random.pick(&[(0, 2), (1, 1), (2, 0), (3, -1), (-1, 3)]);
                let text = format!(
                    "stablehlo.pad {a}, {value}, low = [{low}], high = [{high}], interior = [0] : (tensor<2xf32>, \
                     tensor<f32>) -> tensor<4xf32>"
                );
                make(self, pools, "4xf32", text)
            }
            38 => {
                let number = *self.random.pick(&["0", "1", "2", "-1", "9"]);
                make(self, pools, "i32", format!("stablehlo.constant dense<{number}> : tensor<i32>"))
            }
            39 => {
                let (a, b) = (of!("2x2xf32"), of!("2x2xf32"));
                let text = format!(
                    "stablehlo.dot_general {a}, {b}, contracting_dims = [1] x [0] : (tensor<2x2xf32>, tensor<2x2xf32>) \
                     -> tensor<2x2xf32>"
                );
                make(self, pools, "2x2xf32", text)
            }
            40 | 41 => self.branches(pools, depth),
            42 | 43 => self.count_loop(pools, depth),
            44 => {
                let (c, a, b) = (of!("4xi1"), of!("4xf32"), of!("4xf32"));
                let text = format!(
                    "call @where({c}, {a}, {b}) : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>"
                );
                make(self, pools, "4xf32", text)
            }
            _ => {
                let (c, a) = (of!("4xi1"), self.wanted(pools)?);
                let name = self.name();
                pools.add("4xf32", format!("{name}#0"));
                pools.add("4xi1", format!("{name}#1"));
                Some(format!(
                    "    {name}:2 = call @masked({c}, {a}) : (tensor<4xi1>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi1>)\n"
                ))
            }
        }
    }

    /// A few statements in a scope of their own.
    fn block(&mut self, pools: &Pools, depth: usize, most: usize) -> (String, Pools) {
        let mut inner = pools.clone();
        let count = self.random.below(most + 1);
        let body = (0..count).map(|_| self.statement(&mut inner, depth - 1)).collect();
        (body, inner)
    }

    fn branches(&mut self, pools: &mut Pools, depth: usize) -> Option<String> {
        let is_if = self.random.below(2) == 0;
        let index = self.late(pools, if is_if { "i1" } else { "i32" })?;
        let count = if is_if { 2 } else { 1 + self.random.below(3) };
        let mut branches = Vec::new();
        for _ in 0..count {
            let (body, inner) = self.block(pools, depth, 2);
            let value = self.late(&inner, "4xf32")?;
            branches.push(format!("({{\n{body}      stablehlo.return {value} : tensor<4xf32>\n    }}"));
        }
        let name = self.name();
        pools.add("4xf32", name.clone());
        let regions = branches.join(", ").replace(", (", ", ");
        let (kind, of) = if is_if { ("if", "i1") } else { ("case", "i32") };
        Some(format!("    {name} = \"stablehlo.{kind}\"({index}) {regions}) : (tensor<{of}>) -> tensor<4xf32>\n"))
    }

    /// A loop that counts to a constant or to something that nobody knows.
    fn count_loop(&mut self, pools: &mut Pools, depth: usize) -> Option<String> {
        let (mask, a, b, bound) = (
            self.late(pools, "4xi1")?,
            self.late(pools, "4xf32")?,
            self.late(pools, "4xf32")?,
            self.late(pools, "i32")?,
        );
        self.names += 1;
        let id = self.names;
        let mut inner = pools.clone();
        inner.add("i32", format!("%i{id}"));
        inner.add("4xi1", format!("%m{id}"));
        inner.add("4xf32", format!("%a{id}"));
        inner.add("4xf32", format!("%b{id}"));
        let (body, inner) = self.block(&inner, depth, 4);
        let keep = |writer: &mut Self, of: &str, own: &str| match writer.random.below(3) {
            0 => Some(format!("%{own}{id}")),
            _ => writer.late(&inner, of),
        };
        let (next_mask, next_a, next_b) =
            (keep(self, "4xi1", "m")?, keep(self, "4xf32", "a")?, keep(self, "4xf32", "b")?);
        let name = self.name();
        for (position, of) in [(1, "4xi1"), (2, "4xf32"), (3, "4xf32")] {
            pools.add(of, format!("{name}#{position}"));
        }
        let types = "tensor<i32>, tensor<4xi1>, tensor<4xf32>, tensor<4xf32>";
        Some(format!(
            "    %zero{id} = stablehlo.constant dense<0> : tensor<i32>
    %one{id} = stablehlo.constant dense<1> : tensor<i32>
    %three{id} = stablehlo.constant dense<3> : tensor<i32>
    %bound{id} = stablehlo.minimum {bound}, %three{id} : tensor<i32>
    {name}:4 = stablehlo.while(%i{id} = %zero{id}, %m{id} = {mask}, %a{id} = {a}, %b{id} = {b}) : {types}
     cond {{
      %go{id} = stablehlo.compare LT, %i{id}, %bound{id}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %go{id} : tensor<i1>
    }} do {{
{body}      %next{id} = stablehlo.add %i{id}, %one{id} : tensor<i32>
      stablehlo.return %next{id}, {next_mask}, {next_a}, {next_b} : {types}
    }}\n"
        ))
    }
}
