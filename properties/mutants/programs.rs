//! Steps by hand.
use openloop::graph::TrainingGraph;

pub struct Programs;
impl Programs {
    pub fn new() -> Self { Programs }
    pub fn notice(&self) -> bool { false }
}
pub fn summary_bits() -> Vec<(usize, usize)> { Vec::new() }

/// Operations that no zoo has.
pub fn operations() -> TrainingGraph {
    let text = r#"
module @operations {
  func.func public @main(%x: tensor<3xf32>) -> tensor<3xf32> {
    %0 = "other.operation"(%x) : (tensor<3xf32>) -> tensor<3xf32>
    %n = stablehlo.constant dense<2> : tensor<i32>
    %1:4 = "stablehlo.while"(%n, %n, %x, %x) ({
      ^bb0(%i: tensor<i32>, %end: tensor<i32>, %a: tensor<3xf32>, %b: tensor<3xf32>):
        %p = stablehlo.compare LT, %i, %end, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %p : tensor<i1>
    }, {
      ^bb0(%i: tensor<i32>, %end: tensor<i32>, %a: tensor<3xf32>, %b: tensor<3xf32>):
        %one = stablehlo.constant dense<1> : tensor<i32>
        %j = stablehlo.add %i, %one : tensor<i32>
        %c = stablehlo.add %a, %x : tensor<3xf32>
        stablehlo.return %j, %end, %c, %a : tensor<i32>, tensor<i32>, tensor<3xf32>, tensor<3xf32>
    }) : (tensor<i32>, tensor<i32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<i32>, tensor<i32>, tensor<3xf32>, tensor<3xf32>)
    return %0 : tensor<3xf32>
  }
}"#;
    openloop::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}
