//! Inputs and outputs as the trees that they were before they were flattened.
//!
//! A tree is a list of nodes, parents before children, so that nothing here recurses: paths may be as deep as an input
//! wants.

use std::collections::HashMap;

use crate::graph::{PytreePath, TensorType};

use super::text;

/// A node of a tree of paths.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) depth: usize,
    pub(super) children: Vec<usize>,
    /// The type of the leaf that is here, if one is.
    pub(super) leaf: Option<String>,
    pub(super) leaves: usize,
    pub(super) elements: u128,
    /// Some leaf has no known size.
    pub(super) unknown_size: bool,
    /// The element types below, each once.
    pub(super) kinds: Vec<String>,
    /// Equal for nodes with equal trees below.
    shape: usize,
}

/// The type of a leaf, if one is here, and name and shape of each child.
type Shape = (Option<String>, Vec<(String, usize)>);

/// A tree of paths; the first node is the root, which has no name.
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

/// A line of a drawn tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TreeLine {
    /// How deep it stands.
    pub(super) depth: usize,
    /// `layers`, `0..11` for twelve equal children, or `a.b` where there was nothing to choose.
    pub(super) name: String,
    /// How many equal children it stands for.
    pub(super) times: usize,
    /// How many leaves are below one of them.
    pub(super) leaves: usize,
    /// How many elements are below one of them; [`None`]: not known.
    pub(super) elements: Option<u128>,
    /// The type of the leaf, or the element types below.
    pub(super) r#type: String,
    /// A tree that has been drawn and is equal below.
    pub(super) like: Option<String>,
}

/// A smaller tree is drawn again rather than referred to.
const LEAVES_WORTH_SAYING_LIKE: usize = 5;

/// A line that is still to be drawn.
struct Open {
    node: usize,
    depth: usize,
    /// In place of the node's own.
    name: Option<String>,
    times: usize,
    /// The path down to it.
    above: String,
}

/// `f32[2,3]`, as people who write arrays say it.
pub(super) fn short_type(tensor: &TensorType) -> String {
    let extents = match &tensor.dimensions {
        None => "*".to_owned(),
        Some(extents) => {
            let extents = extents.iter().map(|extent| extent.map_or("?".to_owned(), |extent| extent.to_string()));
            extents.collect::<Vec<_>>().join(",")
        }
    };
    format!("{}[{extents}]", tensor.element)
}

impl Tree {
    /// The tree of these leaves: path, type as text, tensor type if it is a tensor.
    pub(super) fn new<'a>(leaves: impl Iterator<Item = (&'a PytreePath, String, Option<&'a TensorType>)>) -> Tree {
        let node = |name: &str, depth| Node {
            name: name.to_owned(),
            depth,
            children: Vec::new(),
            leaf: None,
            leaves: 0,
            elements: 0,
            unknown_size: false,
            kinds: Vec::new(),
            shape: 0,
        };
        let mut nodes = vec![node("", 0)];
        let mut children: HashMap<(usize, Box<str>), usize> = HashMap::new();
        for (path, text, tensor) in leaves {
            let mut at = 0;
            for segment in path.segments() {
                let next = *children.entry((at, segment.clone())).or_insert_with(|| {
                    let single = PytreePath::new([segment.clone()]).to_string();
                    nodes.push(node(&single, nodes[at].depth + 1));
                    let new = nodes.len() - 1;
                    nodes[at].children.push(new);
                    new
                });
                at = next;
            }
            let leaf = &mut nodes[at];
            leaf.leaves += 1;
            leaf.leaf = Some(text);
            match tensor {
                Some(tensor) => {
                    leaf.kinds.push(tensor.element.to_string());
                    match tensor.element_count() {
                        Some(count) => leaf.elements = leaf.elements.saturating_add(u128::from(count)),
                        None => leaf.unknown_size = true,
                    }
                }
                None => leaf.unknown_size = true,
            }
        }
        let mut tree = Tree { nodes };
        tree.sum_up();
        tree
    }

    /// Children come after their parents, so one pass from the end sums up everything.
    fn sum_up(&mut self) {
        let mut shapes: HashMap<Shape, usize> = HashMap::new();
        for position in (0..self.nodes.len()).rev() {
            let children = std::mem::take(&mut self.nodes[position].children);
            let mut key = Vec::with_capacity(children.len());
            for &child in &children {
                let child = &self.nodes[child];
                key.push((child.name.clone(), child.shape));
                let (leaves, elements, unknown, kinds) =
                    (child.leaves, child.elements, child.unknown_size, child.kinds.clone());
                let node = &mut self.nodes[position];
                node.leaves += leaves;
                node.elements = node.elements.saturating_add(elements);
                node.unknown_size |= unknown;
                for kind in kinds {
                    if !node.kinds.contains(&kind) {
                        node.kinds.push(kind);
                    }
                }
            }
            let node = &mut self.nodes[position];
            node.children = children;
            let next = shapes.len();
            node.shape = *shapes.entry((node.leaf.clone(), key)).or_insert(next);
        }
    }

    /// The tree as lines, at most this deep, equal neighbours in a list as one, and what has been drawn not drawn again.
    pub(super) fn lines(&self, deepest: usize) -> Vec<TreeLine> {
        let mut lines: Vec<TreeLine> = Vec::new();
        let mut drawn: HashMap<usize, String> = HashMap::new();
        let mut open = Vec::new();
        self.open_children(0, 0, "", &mut open);
        while let Some(Open { node: mut at, depth, name, times, above }) = open.pop() {
            let mut name = name.unwrap_or_else(|| self.nodes[at].name.clone());
            while let ([only], None) = (self.nodes[at].children.as_slice(), &self.nodes[at].leaf) {
                at = *only;
                name.push('.');
                name.push_str(&self.nodes[at].name);
            }
            let node = &self.nodes[at];
            let whole = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            let opens = depth + 1 < deepest && !node.children.is_empty();
            let like =
                if opens && node.leaves >= LEAVES_WORTH_SAYING_LIKE { drawn.get(&node.shape).cloned() } else { None };
            lines.push(TreeLine {
                depth,
                name,
                times,
                leaves: node.leaves,
                elements: (!node.unknown_size).then_some(node.elements),
                r#type: match &node.leaf {
                    Some(leaf) if node.children.is_empty() => leaf.clone(),
                    _ => text::list(&node.kinds, 4),
                },
                like: like.clone(),
            });
            if opens && like.is_none() {
                self.open_children(at, depth + 1, &whole, &mut open);
                drawn.insert(node.shape, whole);
            }
        }
        lines
    }

    fn open_children(&self, at: usize, depth: usize, above: &str, open: &mut Vec<Open>) {
        let children = &self.nodes[at].children;
        let mut runs = Vec::new();
        let mut position = 0;
        while position < children.len() {
            let first = &self.nodes[children[position]];
            let mut length = 1;
            if let Ok(number) = first.name.parse::<u64>() {
                length += children[position + 1..]
                    .iter()
                    .zip(1u64..)
                    .take_while(|(child, offset)| {
                        let child = &self.nodes[**child];
                        child.shape == first.shape
                            && number.checked_add(*offset).is_some_and(|next| child.name == next.to_string())
                    })
                    .count();
            }
            let name =
                (length > 1).then(|| format!("{}..{}", first.name, self.nodes[children[position + length - 1]].name));
            runs.push(Open { node: children[position], depth, name, times: length, above: above.to_owned() });
            position += length;
        }
        open.extend(runs.into_iter().rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{ElementType, FloatKind};

    fn tree(paths: &[&str]) -> Vec<String> {
        let tensor = TensorType::new([2, 3], ElementType::Float(FloatKind::F32));
        let paths: Vec<PytreePath> = paths.iter().map(|path| PytreePath::parse(path)).collect();
        let tree = Tree::new(paths.iter().map(|path| (path, short_type(&tensor), Some(&tensor))));
        tree.lines(64)
            .into_iter()
            .map(|line| {
                let like = line.like.map(|like| format!(" like {like}")).unwrap_or_default();
                let indent = "  ".repeat(line.depth);
                format!("{indent}{} {}x{} {}{like}", line.name, line.times, line.leaves, line.r#type)
            })
            .collect()
    }

    #[test]
    fn equal_layers_are_one_line_and_lonely_children_join_their_parent() {
        let lines = tree(&["p.layers.0.b", "p.layers.0.w", "p.layers.1.b", "p.layers.1.w", "p.head.w", "x"]);
        assert_eq!(
            lines,
            [
                "p 1x5 f32",
                "  layers 1x4 f32",
                "    0..1 2x2 f32",
                "      b 1x1 f32[2,3]",
                "      w 1x1 f32[2,3]",
                "  head.w 1x1 f32[2,3]",
                "x 1x1 f32[2,3]"
            ]
        );
    }

    #[test]
    fn an_equal_tree_is_not_drawn_again() {
        let leaves = |root: &str| ["a", "b", "c", "d", "e"].map(|leaf| format!("{root}.{leaf}"));
        let paths = [leaves("params"), leaves("mu")].concat();
        let lines = tree(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(lines.len(), 7);
        assert_eq!(lines[6], "mu 1x5 f32 like params");
    }

    #[test]
    fn a_path_of_any_depth_is_drawn() {
        let deep = "a.".repeat(50_000);
        assert_eq!(tree(&[&deep]).len(), 1);
    }
}
