//! The TOML of a policy, as it is written: every key known, nothing understood yet.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

/// Only the version, so that a policy of a later version is told apart from a misspelt one.
#[derive(Deserialize)]
pub(super) struct RawVersion {
    pub(super) version: Option<Spanned<toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    #[serde(rename = "version")]
    _version: de::IgnoredAny,
    pub(super) data: Option<Strings>,
    #[serde(default)]
    pub(super) groups: BTreeMap<Spanned<String>, Strings>,
    #[serde(default)]
    pub(super) invariant: Vec<Spanned<RawInvariant>>,
    #[serde(default)]
    pub(super) require: Vec<Spanned<RawRequirement>>,
    #[serde(default)]
    pub(super) environment: Vec<Spanned<RawEnvironment>>,
    #[serde(default)]
    pub(super) graph: Vec<Spanned<RawGraph>>,
    #[serde(default)]
    pub(super) link: Vec<Spanned<RawLink>>,
    #[serde(default)]
    pub(super) carried: BTreeMap<Spanned<String>, Spanned<RawCarried>>,
    #[serde(default)]
    pub(super) waiver: Vec<Spanned<RawWaiver>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInvariant {
    pub(super) name: Option<Spanned<String>>,
    pub(super) from: Option<Strings>,
    pub(super) to: Option<Strings>,
    pub(super) within: Option<Strings>,
    pub(super) assume: Option<Strings>,
    pub(super) max_channel: Option<Spanned<toml::Value>>,
    pub(super) max_bits_per_step: Option<Spanned<toml::Value>>,
    pub(super) routes: Option<Strings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequirement {
    pub(super) name: Option<Spanned<String>>,
    pub(super) from: Option<Strings>,
    pub(super) to: Option<Strings>,
    pub(super) within: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnvironment {
    pub(super) name: Option<String>,
    pub(super) note: Option<String>,
    pub(super) output: Option<Strings>,
    pub(super) input: Option<Strings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGraph {
    pub(super) name: Option<Spanned<String>>,
    pub(super) file: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLink {
    pub(super) from: Option<Spanned<String>>,
    pub(super) to: Option<Spanned<String>>,
    pub(super) within: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWaiver {
    pub(super) invariant: Option<Spanned<String>>,
    pub(super) reason: Option<Spanned<String>>,
    pub(super) expires: Option<Spanned<toml::Value>>,
    pub(super) owner: Option<String>,
}

/// A string or a list of strings; each remembers its place.
pub(super) struct Strings {
    pub(super) span: Range<usize>,
    pub(super) items: Vec<Spanned<String>>,
}

enum OneOrMany {
    One(String),
    Many(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<OneOrMany>::deserialize(deserializer)?;
        let span = spanned.span();
        let items = match spanned.into_inner() {
            OneOrMany::One(text) => vec![Spanned::new(span.clone(), text)],
            OneOrMany::Many(items) => items,
        };
        Ok(Strings { span, items })
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany::Many(texts))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// What an output becomes.
pub(super) enum RawCarried {
    /// `false` or `"terminal"`: nothing.
    Terminal,
    /// An input of the next step.
    Input(String),
}

impl<'de> Deserialize<'de> for RawCarried {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = RawCarried;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an input path in quotes, or false for an output that is not carried \
                     (a path with dots on the left needs quotes too: \"result.0\" = \"params\")",
                )
            }

            fn visit_bool<E: de::Error>(self, carried: bool) -> Result<RawCarried, E> {
                if carried {
                    return Err(E::custom("found true, expected the path of the input that it becomes, or false"));
                }
                Ok(RawCarried::Terminal)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawCarried, E> {
                Ok(if text == "terminal" { RawCarried::Terminal } else { RawCarried::Input(text.into()) })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
