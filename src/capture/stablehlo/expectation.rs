//! The pretty form of the `check` dialect: what a test of an interpreter expects of its values.
//!
//! Source: the dialect's definition in StableHLO's own tests (`CheckOps.td`).

use crate::graph::{Dense, OperationKind as Kind};

use super::attributes::Entries;
use super::*;

/// The tolerance that the pretty form leaves out.
const TOLERANCE: f64 = 1e-4;

impl<'a> Reader<'a> {
    /// `check.expect_eq %a, %b : T`, `check.expect_eq_const %a, dense<..> : T`, with `key = number` between, after the
    /// name. The types are those of the operands: an expectation makes nothing.
    pub(super) fn expectation(&mut self, start: usize, name: &'a str, kind: Kind, results: usize) -> Read<()> {
        if results > 0 {
            return Err(self.wrong_result_count(start, name, results));
        }
        let takes_constant = matches!(kind, Kind::ExpectEqConst | Kind::ExpectAlmostEqConst);
        let mut continues = false;
        loop {
            match self.cursor.peek() {
                b'{' => self.own_dictionary()?,
                b',' => {
                    self.cursor.at += 1;
                    continues = true;
                    continue;
                }
                // After the constant there is nothing else but attributes.
                _ if takes_constant && !continues && !self.scratch.operand_types.is_empty() => break,
                b'%' => {
                    let operand = self.operand()?;
                    self.scratch.operands.push(operand);
                }
                b':' if !takes_constant => {
                    self.cursor.at += 1;
                    // Of `expect_close`, attributes come after the colon.
                    if self.cursor.peek() == b'{' {
                        self.own_dictionary()?;
                    }
                    break self.expected_types()?;
                }
                _ => self.expectation_piece(takes_constant)?,
            }
            continues = false;
        }
        self.check_operand_types(start, name)?;
        self.close_simple(start, name, kind)
    }

    /// `T`, for all operands, or a type for each.
    fn expected_types(&mut self) -> Read<()> {
        loop {
            let r#type = self.r#type()?;
            self.scratch.operand_types.push(r#type);
            if !self.cursor.eat(",") {
                break;
            }
        }
        if let [only] = self.scratch.operand_types[..] {
            self.scratch.operand_types.resize(self.scratch.operands.len(), only);
        }
        Ok(())
    }

    /// `dense<..> : T` or `key = value`.
    fn expectation_piece(&mut self, takes_constant: bool) -> Read<()> {
        self.cursor.skip();
        let start = self.cursor.at;
        let Some(key) = self.cursor.identifier() else {
            return Err(self.cursor.expected("an operand, an attribute or `:`"));
        };
        if self.cursor.eat("=") {
            let value = match self.cursor.peek() {
                b'"' => Attribute::String(self.cursor.string()?.into()),
                _ => self.bare_number()?,
            };
            let name = if key == "iter" { "iteration" } else { key };
            self.scratch.entries.push((name.into(), value));
            return Ok(());
        }
        self.cursor.at = start;
        let value = self.attribute()?;
        let Attribute::Dense(Dense { r#type, .. }) = &value else {
            return Err(self.cursor.error_from(start, "an operand, an attribute or `:` was expected"));
        };
        if !takes_constant {
            return Err(self.cursor.error_from(start, "this expectation takes no constant"));
        }
        let r#type = types::parse_type(&mut self.builder, r#type, 0)
            .map_err(|message| self.cursor.error_from(start, message))?;
        self.scratch.entries.push(("value".into(), value));
        self.scratch.operand_types.push(r#type);
        Ok(())
    }

    /// A number outside a dictionary. A colon after it belongs to the operation, unless it is `: f64 :`.
    fn bare_number(&mut self) -> Read<Attribute> {
        let text = self.cursor.number_text();
        if text.is_empty() {
            return Err(self.cursor.expected("a number"));
        }
        let at = self.cursor.at;
        let has_type = self.cursor.eat(":") && self.cursor.identifier().is_some() && self.cursor.peek() == b':';
        if !has_type {
            self.cursor.at = at;
        }
        Ok(text.parse().map_or_else(|_| Attribute::Number(text.into()), Attribute::Integer))
    }
}

/// Leaves out what has its default value, as the pretty form does.
pub(super) fn drop_expectation_defaults(entries: &mut Entries) {
    entries.retain(|(name, value)| match (&**name, value) {
        ("tolerance", Attribute::Number(text)) => text.parse() != Ok(TOLERANCE),
        ("min_ulp_difference" | "iteration", value) => *value != Attribute::Integer(0),
        _ => true,
    });
}
