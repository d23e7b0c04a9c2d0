"""Lower whole training steps of real size from shapes alone, as inputs for the benchmarks.

    python benches/lower_shapes.py            rewrite benches/inputs/
    python benches/lower_shapes.py --check    fail if the committed texts differ

`gpt2_small`: the shapes of GPT-2 small. One global-norm clip and one AdamW over both boxes, so the size of the
TD error (which holds the probe's reward) scales the belief update: it leaks within the step.

`llama_8b`: the shapes of Llama 3 8B (grouped-query attention, rotary positions, SwiGLU, RMS norm; float32
parameters, computed with in bfloat16). A clip, a schedule and an AdamW per box: no way from the probe to the beliefs.

Nothing of the models' size is ever allocated: parameters, optimizer state and batch are `jax.ShapeDtypeStruct`.
The layers are unrolled by a Python loop, so that the text is as long as the model is deep.
"""

import pathlib
import sys

import jax
import jax.numpy as jnp
import optax
from jaxlib.mlir import ir

HERE = pathlib.Path(__file__).resolve().parent
INPUTS = HERE / "inputs"
DISCOUNT, ACTIONS = 0.99, 64


def shape(*dims, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(dims, dtype)


# --- the desires: a value head and a policy head over detached thoughts, and a linear probe -------------------


def desire_shapes(width):
    return {
        "value_head": {"hidden": shape(width, 256), "out": shape(256), "bias": shape()},
        "policy_head": {"w": shape(width, ACTIONS), "b": shape(ACTIONS)},
    }


def probe_reward(probe, thoughts):
    with jax.named_scope("probe_reward"):
        return jax.nn.sigmoid(thoughts @ probe["w"] + probe["b"])


def value(head, thoughts):
    return jnp.tanh(thoughts @ head["hidden"]) @ head["out"] + head["bias"]


def desire_loss(desires, thoughts, reward, actions):
    """One-step TD for the value head, and a policy gradient with that TD error as the advantage."""
    values = value(desires["value_head"], thoughts)
    target = reward[:, :-1] + DISCOUNT * jax.lax.stop_gradient(values[:, 1:])
    errors = target - values[:, :-1]
    policy = desires["policy_head"]
    logits = (thoughts @ policy["w"] + policy["b"])[:, :-1]
    surprise = optax.softmax_cross_entropy_with_integer_labels(logits, actions[:, :-1])
    advantage = jax.lax.stop_gradient(errors)
    return jnp.mean(jnp.square(errors)), jnp.mean(advantage * surprise)


def make_step(think, predict, optimizer):
    def train_step(params, opt_state, probe, batch):
        def loss(params):
            thoughts = think(params["beliefs"], batch["tokens"])
            seen = jax.lax.stop_gradient(thoughts).astype(jnp.float32)
            reward = batch["reward"] - probe_reward(probe, seen)
            logits = predict(params["beliefs"], thoughts[:, :-1])
            prediction = optax.softmax_cross_entropy_with_integer_labels(
                logits, batch["tokens"][:, 1:]
            ).mean()
            td, policy = desire_loss(params["desires"], seen, reward, batch["actions"])
            return prediction + td + policy, {"prediction": prediction, "td": td, "policy": policy}

        grads, metrics = jax.grad(loss, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, metrics

    return train_step


def lower(beliefs, width, think, predict, optimizer, batch, length):
    params = {"beliefs": beliefs, "desires": desire_shapes(width)}
    opt_state = jax.eval_shape(optimizer.init, params)
    probe = {"w": shape(width), "b": shape()}
    inputs = {
        "tokens": shape(batch, length, dtype=jnp.int32),
        "actions": shape(batch, length, dtype=jnp.int32),
        "reward": shape(batch, length),
    }
    step = make_step(think, predict, optimizer)
    return jax.jit(step).lower(params, opt_state, probe, inputs)


def causal(scores):
    length = scores.shape[-1]
    past = jnp.tril(jnp.ones((length, length), bool))
    return jnp.where(past, scores, jnp.finfo(scores.dtype).min)


# --- GPT-2 small ----------------------------------------------------------------------------------------------


def gpt2_small(width=768, vocab=50257, context=1024, batch=8):
    layers, heads = 12, 12

    def norm():
        return {"scale": shape(width), "bias": shape(width)}

    def linear(fan_in, fan_out):
        return {"w": shape(fan_in, fan_out), "b": shape(fan_out)}

    beliefs = {
        "wte": shape(vocab, width),
        "wpe": shape(context, width),
        "ln_f": norm(),
        **{
            f"h{layer}": {
                "ln_1": norm(),
                "attn": {"qkv": linear(width, 3 * width), "proj": linear(width, width)},
                "ln_2": norm(),
                "mlp": {"fc": linear(width, 4 * width), "proj": linear(4 * width, width)},
            }
            for layer in range(layers)
        },
    }

    def layer_norm(p, x):
        x = x - x.mean(axis=-1, keepdims=True)
        return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-5) * p["scale"] + p["bias"]

    def affine(p, x):
        return x @ p["w"] + p["b"]

    def attention(p, x):
        batch, length, _ = x.shape
        q, k, v = (
            t.reshape(batch, length, heads, width // heads) for t in jnp.split(affine(p["qkv"], x), 3, axis=-1)
        )
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / (width // heads) ** 0.5
        mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(causal(scores)), v)
        return affine(p["proj"], mixed.reshape(batch, length, width))

    def think(p, tokens):
        x = p["wte"][tokens] + p["wpe"][: tokens.shape[1]]
        for layer in range(layers):
            block = p[f"h{layer}"]
            with jax.named_scope(f"h{layer}"):
                x = x + attention(block["attn"], layer_norm(block["ln_1"], x))
                hidden = jax.nn.gelu(affine(block["mlp"]["fc"], layer_norm(block["ln_2"], x)))
                x = x + affine(block["mlp"]["proj"], hidden)
        return layer_norm(p["ln_f"], x)

    def predict(p, thoughts):
        return thoughts @ p["wte"].T

    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(6e-4, weight_decay=0.1))
    return lower(beliefs, width, think, predict, optimizer, batch, length=context)


# --- Llama 3 8B -----------------------------------------------------------------------------------------------


def llama_8b():
    width, layers, heads, kv_heads, hidden, vocab, length = 4096, 32, 32, 8, 14336, 128256, 2048
    size = width // heads

    beliefs = {
        "embed": shape(vocab, width),
        "norm": shape(width),
        "lm_head": shape(width, vocab),
        **{
            f"layer_{layer}": {
                "attention_norm": shape(width),
                "wq": shape(width, heads * size),
                "wk": shape(width, kv_heads * size),
                "wv": shape(width, kv_heads * size),
                "wo": shape(heads * size, width),
                "ffn_norm": shape(width),
                "w_gate": shape(width, hidden),
                "w_up": shape(width, hidden),
                "w_down": shape(hidden, width),
            }
            for layer in range(layers)
        },
    }

    def rms_norm(scale, x):
        y = x.astype(jnp.float32)
        y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + 1e-5)
        return (y * scale).astype(x.dtype)

    def matmul(x, w):
        return x @ w.astype(x.dtype)

    def rotate(x):
        """Rotary positions: [batch, length, heads, size], halves paired."""
        frequency = 500000.0 ** (-jnp.arange(0, size, 2, dtype=jnp.float32) / size)
        angle = jnp.arange(x.shape[1], dtype=jnp.float32)[:, None] * frequency
        cos, sin = jnp.cos(angle)[:, None, :], jnp.sin(angle)[:, None, :]
        a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
        return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1).astype(x.dtype)

    def attention(p, x):
        batch, length, _ = x.shape
        q = rotate(matmul(x, p["wq"]).reshape(batch, length, heads, size))
        k = rotate(matmul(x, p["wk"]).reshape(batch, length, kv_heads, size))
        v = matmul(x, p["wv"]).reshape(batch, length, kv_heads, size)
        q = q.reshape(batch, length, kv_heads, heads // kv_heads, size)
        scores = jnp.einsum("bqgrd,bkgd->bgrqk", q, k).astype(jnp.float32) / size**0.5
        weights = jax.nn.softmax(causal(scores)).astype(x.dtype)
        mixed = jnp.einsum("bgrqk,bkgd->bqgrd", weights, v)
        return matmul(mixed.reshape(batch, length, heads * size), p["wo"])

    def think(p, tokens):
        x = p["embed"].astype(jnp.bfloat16)[tokens]
        for layer in range(layers):
            block = p[f"layer_{layer}"]
            with jax.named_scope(f"layer_{layer}"):
                with jax.named_scope("attention"):
                    x = x + attention(block, rms_norm(block["attention_norm"], x))
                with jax.named_scope("ffn"):
                    h = rms_norm(block["ffn_norm"], x)
                    h = jax.nn.silu(matmul(h, block["w_gate"])) * matmul(h, block["w_up"])
                    x = x + matmul(h, block["w_down"])
        return rms_norm(p["norm"], x)

    def predict(p, thoughts):
        return matmul(thoughts, p["lm_head"]).astype(jnp.float32)

    def per_box():
        rate = optax.warmup_cosine_decay_schedule(0.0, 3e-4, 2000, 100_000)
        adamw = optax.adamw(rate, b2=0.95, weight_decay=0.1, mu_dtype=jnp.bfloat16)
        return optax.chain(optax.clip_by_global_norm(1.0), adamw)

    optimizer = optax.multi_transform(
        {"beliefs": per_box(), "desires": per_box()},
        {"beliefs": "beliefs", "desires": "desires"},
    )
    return lower(beliefs, width, think, predict, optimizer, batch=4, length=length)


def gpt2_narrow():
    """As deep, but small enough to be run by an interpreter."""
    return gpt2_small(width=96, vocab=512, context=64, batch=2)


STEPS = {"gpt2_small": gpt2_small, "llama_8b": llama_8b, "gpt2_narrow": gpt2_narrow}


# No path of this machine goes into the texts: `benches/lower_shapes.py`, `optax/transforms/_clipping.py`.
RELATIVE = r"^.*/(?:site-packages/|(?=benches/))"


def count_operations(lowered):
    """All operations of the module, those inside regions and the functions themselves included."""
    count = 0

    def visit(_):
        nonlocal count
        count += 1
        return ir.WalkResult.ADVANCE

    lowered.compiler_ir("stablehlo").operation.walk(visit)
    return count


def main(arguments):
    jax.config.update("jax_hlo_source_file_canonicalization_regex", RELATIVE)
    differ = 0
    for name, step in STEPS.items():
        lowered = step()
        text, bare = lowered.as_text(debug_info=True), lowered.as_text(debug_info=False)
        path = INPUTS / f"{name}.mlir"
        print(
            f"{name}: {count_operations(lowered)} operations, "
            f"{len(text.encode())} bytes with debug info, {len(bare.encode())} without"
        )
        if "--check" not in arguments:
            INPUTS.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print("differs:", path.name)
            differ = 1
    return differ


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
