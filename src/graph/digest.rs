//! The identity of a graph.

use std::fmt;

use super::*;

/// A BLAKE3 hash of all that the flow of information depends on: structure, operations, types, attributes, scopes,
/// names of inputs and outputs, blobs. Source lines are not part of it: the same step in the pretty and the
/// generic form, or after a blank line was added above it, is the same graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Reads the hexadecimal form.
    pub fn parse(text: &str) -> Option<Digest> {
        blake3::Hash::from_hex(text).ok().map(|hash| Digest(*hash.as_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Digest::parse(&text).ok_or_else(|| serde::de::Error::custom("a digest is 64 hexadecimal digits"))
    }
}

/// Feeds a hasher in large pieces: the hash function is slow on small ones.
struct Stream {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Stream {
    fn number(&mut self, number: usize) {
        self.buffer.extend_from_slice(&(number as u32).to_le_bytes());
        if self.buffer.len() > 1 << 16 {
            self.flush();
        }
    }

    /// Length first, so that two texts cannot be mistaken for one.
    fn text(&mut self, text: &str) {
        self.number(text.len());
        if text.len() > 1 << 12 {
            self.flush();
            self.hasher.update(text.as_bytes());
        } else {
            self.buffer.extend_from_slice(text.as_bytes());
        }
    }

    fn flush(&mut self) {
        self.hasher.update(&self.buffer);
        self.buffer.clear();
    }
}

/// Numbers the entries of a table in the order in which the operations first use them, so that the order in which
/// a reader came upon them does not matter, and writes each out when it is first used.
struct Renumbered {
    number: Vec<u32>,
    next: u32,
}

impl Renumbered {
    fn new(len: usize) -> Self {
        Renumbered { number: vec![u32::MAX; len], next: 0 }
    }

    fn visit(&mut self, stream: &mut Stream, position: usize, write: impl FnOnce(&mut Stream)) {
        if self.number[position] == u32::MAX {
            self.number[position] = self.next;
            self.next += 1;
            stream.number(self.number[position] as usize);
            write(stream);
        } else {
            stream.number(self.number[position] as usize);
        }
    }
}

impl TrainingGraph {
    /// The identity of the graph.
    pub fn digest(&self) -> Digest {
        let mut stream = Stream { hasher: blake3::Hasher::new(), buffer: Vec::with_capacity(1 << 17) };
        let mut types = Renumbered::new(self.types.len());
        let mut attributes = Renumbered::new(self.attributes.len());
        let mut scopes = Renumbered::new(self.scopes.len());
        stream.text("openloop training graph 1");
        stream.number(self.entry.index());
        stream.number(self.functions.len());
        for function in self.functions.iter() {
            stream.text(&function.name);
            stream.number(function.body.index());
            for paths in [&function.inputs, &function.outputs] {
                stream.number(paths.len());
                paths.iter().for_each(|path| stream.text(&path.to_string()));
            }
            for &r#type in &function.output_types {
                types.visit(&mut stream, r#type.index(), |stream| stream.text(&self.type_text(r#type)));
            }
        }
        stream.number(self.regions.len());
        for region in self.regions.iter() {
            stream.number(region.function.index());
            stream.number(region.parent.map_or(usize::MAX, |parent| parent.index()));
            stream.number(region.operations.len());
            stream.number(region.arguments.len());
        }
        stream.number(self.values.len());
        for value in self.values.iter() {
            let r#type = value.r#type;
            types.visit(&mut stream, r#type.index(), |stream| stream.text(&self.type_text(r#type)));
            let (tag, maker, position) = match value.definition {
                Definition::Result(operation, position) => (0, operation.index(), position),
                Definition::Argument(region, position) => (1, region.index(), position),
            };
            stream.number(tag);
            stream.number(maker);
            stream.number(position as usize);
        }
        stream.number(self.operations.len());
        for (id, operation) in self.operations.iter_enumerated() {
            match operation.kind {
                OperationKind::Unknown => {
                    stream.number(usize::MAX);
                    stream.text(self.operation_name(id));
                }
                // Not the variant's number: that changes when the table grows.
                kind => stream.text(kind.name()),
            }
            stream.number(operation.region.index());
            stream.number(operation.callee.map_or(usize::MAX, |callee| callee.index()));
            stream.number(operation.operands.len());
            self.operands(id).iter().for_each(|operand| stream.number(operand.index()));
            stream.number(operation.results.len());
            stream.number(operation.regions.len());
            attributes.visit(&mut stream, operation.attributes.index(), |stream| {
                stream.text(&format!("{:?}", self.attributes(id)));
            });
            scopes.visit(&mut stream, operation.scope.index(), |stream| {
                stream.text(&self.scopes[operation.scope.index()]);
            });
        }
        let mut keys: Vec<&str> = self.resources.keys().map(|key| &**key).collect();
        keys.sort_unstable();
        for key in keys {
            stream.text(key);
            stream.text(&self.resources[key]);
        }
        for (output, input) in self.declared_pairs.iter().flatten() {
            stream.text(&output.to_string());
            stream.text(&input.to_string());
        }
        stream.flush();
        Digest(*stream.hasher.finalize().as_bytes())
    }
}
