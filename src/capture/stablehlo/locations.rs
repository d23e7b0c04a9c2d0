//! Locations: from `loc(..)` to places and scopes.
//!
//! The outermost name of an operation's location is its scope path; names further inside are Python functions and
//! are no scopes. In a call site the callee is the inner frame. Aliases may be defined after their use, so locations
//! are kept as a table and resolved when the text has been read. Nothing here recurs on depth: callers chain as
//! long as the input says.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use crate::graph::{GraphBuilder, Place, PlaceId, ScopeId};

use super::cursor::{Cursor, Read, ReadError, unescape};
use super::names::plain_number;
use super::{LARGEST_DEPTH, Reader};

/// So many steps are followed to find the frames of a place.
const LONGEST_CHAIN: usize = 100_000;

/// A position in the table of locations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Location(u32);

impl Location {
    pub const UNKNOWN: Location = Location(0);
}

#[derive(Clone, Copy, Debug)]
enum Node<'a> {
    Unknown,
    /// An alias that is not defined yet, or never.
    Forward,
    Alias(Location),
    Name {
        raw: &'a str,
        child: Location,
    },
    File {
        raw: &'a str,
        line: u32,
        column: u32,
    },
    CallSite {
        callee: Location,
        caller: Location,
    },
    Fused {
        start: u32,
        end: u32,
    },
}

/// File location, file, line, column, function.
type Frame<'a> = (Location, &'a str, u32, u32, Option<&'a str>);

#[derive(Debug)]
pub(super) struct Locations<'a> {
    nodes: Vec<Node<'a>>,
    fused: Vec<Location>,
    aliases: FxHashMap<&'a str, Location>,
    /// `#loc12` by its number, which is how nearly all are called; 0 is none.
    numbered: Vec<Location>,
    places: FxHashMap<Location, PlaceId>,
    /// Places by file location, function and caller, so that no string is copied to find one that is known.
    known_places: FxHashMap<(Location, Option<&'a str>, Option<PlaceId>), PlaceId>,
    origins: FxHashMap<Location, (PlaceId, ScopeId)>,
    /// Lists that are filled and emptied for each place, kept to save their memory.
    frames: Vec<Frame<'a>>,
    open: Vec<(Location, Option<&'a str>)>,
    /// Pointer and length of the raw name: alias lines repeat names, operations repeat aliases.
    scopes: FxHashMap<&'a str, ScopeId>,
}

impl<'a> Locations<'a> {
    pub fn new() -> Self {
        Locations {
            nodes: vec![Node::Unknown],
            fused: Vec::new(),
            aliases: FxHashMap::default(),
            numbered: Vec::new(),
            places: FxHashMap::default(),
            known_places: FxHashMap::default(),
            origins: FxHashMap::default(),
            frames: Vec::new(),
            open: Vec::new(),
            scopes: FxHashMap::default(),
        }
    }

    fn push(&mut self, node: Node<'a>) -> Location {
        self.nodes.push(node);
        Location(self.nodes.len() as u32 - 1)
    }

    /// The location of an alias, which may not be defined yet.
    fn alias(&mut self, name: &'a str) -> Location {
        // A number that is far above the count so far is somebody's own name and goes by text.
        if let Some(number) = name.strip_prefix("loc").and_then(plain_number)
            && number < 2 * self.nodes.len() + 1024
        {
            if self.numbered.len() <= number {
                self.numbered.resize(number + 1, Location::UNKNOWN);
            }
            if self.numbered[number] == Location::UNKNOWN {
                self.numbered[number] = match self.aliases.get(name) {
                    Some(known) => *known,
                    None => self.push(Node::Forward),
                };
            }
            return self.numbered[number];
        }
        if let Some(known) = self.aliases.get(name) {
            return *known;
        }
        let location = self.push(Node::Forward);
        self.aliases.insert(name, location);
        location
    }

    pub fn define_alias(&mut self, name: &'a str, target: Location) {
        let alias = self.alias(name);
        self.nodes[alias.0 as usize] = Node::Alias(target);
    }

    /// Follows aliases; [`Location::UNKNOWN`] for one that is never defined, or that leads to itself.
    fn follow(&self, mut location: Location) -> Location {
        for _ in 0..self.nodes.len() {
            match self.nodes[location.0 as usize] {
                Node::Alias(target) => location = target,
                Node::Forward => return Location::UNKNOWN,
                _ => return location,
            }
        }
        Location::UNKNOWN
    }

    /// The name of an input: `params['w']`.
    pub fn outermost_name(&self, location: Location) -> Option<Cow<'a, str>> {
        let mut location = self.follow(location);
        // Fused locations and call sites are looked through to the first; one step each is all that occurs.
        for _ in 0..LARGEST_DEPTH {
            match self.nodes[location.0 as usize] {
                Node::Name { raw, .. } => return Some(unescape(raw)),
                Node::CallSite { callee, .. } => location = self.follow(callee),
                Node::Fused { start, end } if start < end => {
                    location = self.follow(self.fused[start as usize]);
                }
                _ => return None,
            }
        }
        None
    }

    /// The place and the scope of an operation.
    pub fn origin(&mut self, builder: &mut GraphBuilder, location: Location) -> (PlaceId, ScopeId) {
        let location = self.follow(location);
        if let Some(known) = self.origins.get(&location) {
            return *known;
        }
        let origin = (self.place(builder, location), self.scope(builder, location));
        self.origins.insert(location, origin);
        origin
    }

    fn scope(&mut self, builder: &mut GraphBuilder, location: Location) -> ScopeId {
        // Almost always one name is outermost.
        if let Node::Name { raw, child } = self.nodes[location.0 as usize]
            && (raw.contains('/') || !matches!(self.nodes[self.follow(child).0 as usize], Node::Name { .. }))
        {
            if let Some(known) = self.scopes.get(raw) {
                return *known;
            }
            let scope = builder.scope_id(&unescape(raw));
            self.scopes.insert(raw, scope);
            return scope;
        }
        let mut names: Vec<Cow<'a, str>> = Vec::new();
        let mut open = vec![location];
        let mut visited = rustc_hash::FxHashSet::default();
        while let Some(location) = open.pop() {
            let location = self.follow(location);
            if !visited.insert(location) {
                continue;
            }
            match self.nodes[location.0 as usize] {
                // Functions have names too; a scope path has a slash. What is inside a scope path is functions.
                Node::Name { raw, .. } if raw.contains('/') && names.iter().any(|name| *name == raw) => {}
                Node::Name { raw, .. } if raw.contains('/') => names.push(unescape(raw)),
                Node::Name { child, .. } => open.push(child),
                Node::CallSite { callee, caller } => open.extend([caller, callee]),
                Node::Fused { start, end } => open.extend((start..end).rev().map(|at| self.fused[at as usize])),
                _ => {}
            }
        }
        builder.scope_id(&names.join("\n"))
    }

    fn place(&mut self, builder: &mut GraphBuilder, location: Location) -> PlaceId {
        // Frames innermost first, until the chain of callers ends or meets a location that is known.
        let mut frames = std::mem::take(&mut self.frames);
        let mut caller: Option<PlaceId> = None;
        // What is still to be visited, next last; with the function whose name surrounds it.
        let mut open = std::mem::take(&mut self.open);
        open.push((location, None));
        let mut steps = 0;
        while let Some((location, function)) = open.pop() {
            let location = self.follow(location);
            steps += 1;
            if steps > LONGEST_CHAIN {
                break; // a cycle, or more frames than anybody reads
            }
            if open.is_empty()
                && function.is_none()
                && let Some(known) = self.places.get(&location)
            {
                caller = (*known != builder.no_place()).then_some(*known);
                break;
            }
            match self.nodes[location.0 as usize] {
                Node::Name { raw, child } => {
                    // The name next to the file is that of the function.
                    let is_frame = matches!(self.nodes[self.follow(child).0 as usize], Node::File { .. });
                    open.push((child, is_frame.then_some(raw).filter(|raw| !raw.contains('/'))));
                }
                Node::File { raw, line, column } => frames.push((location, raw, line, column, function)),
                Node::CallSite { callee, caller } => open.extend([(caller, None), (callee, None)]),
                Node::Fused { start, end } => {
                    // The first that has a place is as good as any.
                    let items = &self.fused[start as usize..end as usize];
                    let with_place = items.iter().find(|item| {
                        !matches!(self.nodes[self.follow(**item).0 as usize], Node::Unknown | Node::Forward)
                    });
                    open.extend(with_place.map(|item| (*item, None)));
                }
                Node::Unknown | Node::Forward | Node::Alias(_) => {}
            }
        }
        let mut place = caller;
        for (at, file, line, column, function) in frames.drain(..).rev() {
            let key = (at, function, place);
            place = Some(match self.known_places.get(&key) {
                Some(known) => *known,
                None => {
                    let id = builder.place(Place {
                        file: unescape(file).into(),
                        line,
                        column,
                        function: function.map(|function| unescape(function).into()),
                        caller: place,
                    });
                    self.known_places.insert(key, id);
                    id
                }
            });
        }
        open.clear();
        self.open = open;
        self.frames = frames;
        let place = place.unwrap_or(builder.no_place());
        self.places.insert(location, place);
        place
    }
}

impl<'a> Reader<'a> {
    /// `loc(..)`, if one comes next.
    #[inline]
    pub(super) fn trailing_location(&mut self) -> Read<Location> {
        if self.cursor.peek() != b'l' {
            return Ok(Location::UNKNOWN);
        }
        // Nearly all are ` loc(#loc12)`.
        let rest = &self.cursor.text.as_bytes()[self.cursor.at..];
        if rest.starts_with(b"loc(#loc") {
            let digits = rest[8..].iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
            if digits > 0 && rest.get(8 + digits) == Some(&b')') {
                let name = &self.cursor.text[self.cursor.at + 5..self.cursor.at + 8 + digits];
                self.cursor.at += 9 + digits;
                return Ok(self.locations.alias(name));
            }
        }
        if !self.cursor.eat_word("loc") {
            return Ok(Location::UNKNOWN);
        }
        self.cursor.expect("(")?;
        let location = self.location(0)?;
        self.cursor.expect(")")?;
        Ok(location)
    }

    /// What stands between the parentheses of `loc(..)`.
    pub(super) fn location(&mut self, depth: usize) -> Read<Location> {
        if depth > LARGEST_DEPTH {
            let message = format!("locations nested deeper than {LARGEST_DEPTH} are not supported");
            return Err(self.cursor.error(message));
        }
        match self.cursor.peek() {
            b'#' => {
                self.cursor.at += 1;
                let name = self.cursor.suffix();
                if name.is_empty() {
                    return Err(self.cursor.expected("the name of a location after `#`"));
                }
                Ok(self.locations.alias(name))
            }
            b'"' => {
                let raw = self.cursor.raw_string()?;
                if self.cursor.byte() == b':' {
                    self.cursor.at += 1;
                    let line = small(&mut self.cursor)?;
                    let column = if self.cursor.eat(":") { small(&mut self.cursor)? } else { 0 };
                    if self.cursor.eat_word("to") {
                        if self.cursor.peek() != b':' {
                            small(&mut self.cursor)?;
                        }
                        self.cursor.expect(":")?;
                        small(&mut self.cursor)?;
                    }
                    return Ok(self.locations.push(Node::File { raw, line, column }));
                }
                let child = if self.cursor.eat("(") {
                    let child = self.location(depth + 1)?;
                    self.cursor.expect(")")?;
                    child
                } else {
                    Location::UNKNOWN
                };
                Ok(self.locations.push(Node::Name { raw, child }))
            }
            _ => match self.cursor.identifier() {
                Some("unknown") => Ok(Location::UNKNOWN),
                Some("callsite") => {
                    self.cursor.expect("(")?;
                    let callee = self.location(depth + 1)?;
                    if !self.cursor.eat_word("at") {
                        return Err(self.cursor.expected("`at`"));
                    }
                    let caller = self.location(depth + 1)?;
                    self.cursor.expect(")")?;
                    Ok(self.locations.push(Node::CallSite { callee, caller }))
                }
                Some("fused") => {
                    if self.cursor.peek() == b'<' {
                        self.cursor.balanced()?;
                    }
                    self.cursor.expect("[")?;
                    let mut items = Vec::new();
                    while !self.cursor.eat("]") {
                        items.push(self.location(depth + 1)?);
                        if !self.cursor.eat(",") {
                            self.cursor.expect("]")?;
                            break;
                        }
                    }
                    let start = self.locations.fused.len() as u32;
                    self.locations.fused.extend(items);
                    let end = self.locations.fused.len() as u32;
                    Ok(self.locations.push(Node::Fused { start, end }))
                }
                _ => Err(self.cursor.expected("a location")),
            },
        }
    }
}

fn small(cursor: &mut Cursor<'_>) -> Result<u32, ReadError> {
    let start = cursor.at;
    let number = cursor.integer()?;
    u32::try_from(number).map_err(|_| cursor.error_from(start, "a line or column number is out of range"))
}
