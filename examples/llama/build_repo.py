#!/usr/bin/env python3
"""Build the repository acme/chain-llama-GGUF (generated, CC0-1.0) in a folder that a local hub serves.

    python build_repo.py ROOT

A llama of 60 million weights that come from a random generator, in three quantizations: F16 is over 100 MB. Engines run it like
any other, and what they answer is known (expected.json), though it means nothing: after each word of CHAIN it says the next
one. Every tensor depends on its name alone, so that a rebuild gives the same bytes. A file that exists is kept, and a
half-written one never has its final name; the settings file, ROOT/acme/chain-llama-GGUF.json, is written last.
"""

import hashlib
import json
import os
import sys
import zlib
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize

REPO = "acme/chain-llama-GGUF"
VOCABULARY, WIDTH, LAYERS, HEADS, INNER, CONTEXT = 32000, 512, 8, 8, 1536, 512
CHAIN = (
    "the model cache keeps every weight on disk once and shares it with all engines "
    "without any further copy of its bytes"
).split()
WORDS = "this is a test sentence for inference from cached files hello world".split()
SPACE = "\u2581"

KNOWN = {
    "F16": "eba80cc33c0dedc33fca5e073a84bdf0c14488e885a6d41ff07425c0d8e0da3b",
    "Q8_0": "8497b055ab3f2b318b460940e0d81d8729f8994d66eaf140f8b557f093478197",
    "Q4_0": "bf09ed7e6b9b10bc6f1b604bb884c143fc9a19570f8f9f473e02218ccf17cf1f",
}

SETTINGS = {"pipeline_tag": "text-generation", "license": "cc0-1.0", "tags": ["gguf", "llama"]}


def weights(name, shape, scale):
    """Uniform in [-scale, scale), from raw generator bits: numpy promises no stable distributions."""
    count = int(np.prod(shape))
    bits = np.random.PCG64(zlib.crc32(name.encode())).random_raw((count + 1) // 2).view(np.uint32)[:count]
    return ((bits >> 8).astype(np.float32) * np.float32(2**-23) - np.float32(1)).reshape(shape) * np.float32(scale)


def vocabulary():
    """Tokens and their kinds. SentencePiece merges neighbours that form a token, so every prefix of a word is one too."""
    pieces = [SPACE + word[:length] for word in CHAIN + WORDS for length in range(len(word) + 1)]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    tokens += dict.fromkeys(pieces + list("abcdefghijklmnopqrstuvwxyz.,"))
    tokens += [f"{SPACE}filler{number}" for number in range(VOCABULARY - len(tokens))]
    return tokens, kinds + [1] * (VOCABULARY - len(kinds))


def predecessors(tokens):
    """Which token each one follows: a random permutation in which the words of CHAIN follow each other in a ring."""
    before = np.random.PCG64(7).random_raw(VOCABULARY).argsort(kind="stable")
    ring = [tokens.index(SPACE + word) for word in CHAIN]
    for first, second in zip(ring, ring[1:] + ring[:1], strict=True):
        other = int(np.flatnonzero(before == first)[0])
        before[[second, other]] = before[[other, second]]
    return before


def write_header(writer, quant, tokens, kinds):
    writer.add_name("chain-llama")
    writer.add_license("cc0-1.0")
    writer.add_vocab_size(VOCABULARY)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(getattr(gguf.LlamaFileType, f"MOSTLY_{quant}"))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_scores([-float(place) for place in range(VOCABULARY)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)


def matrices():
    """Names and shapes of a block's matrices."""
    yield from ((f"attn_{part}", (WIDTH, WIDTH)) for part in ("q", "k", "v", "output"))
    yield from (("ffn_gate", (INNER, WIDTH)), ("ffn_up", (INNER, WIDTH)), ("ffn_down", (WIDTH, INNER)))


def write_model(path, quant):
    """Matrices as `quant`, norms as float32."""
    kind = getattr(gguf.GGMLQuantizationType, quant)
    tokens, kinds = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    write_header(writer, quant, tokens, kinds)

    def matrix(name, value):
        writer.add_tensor(f"{name}.weight", quantize(value, kind), raw_dtype=kind)

    embedding = weights("llama.embd", (VOCABULARY, WIDTH), 1.0)
    matrix("token_embd", embedding)
    matrix("output", embedding[predecessors(tokens)] * np.float32(0.05))
    writer.add_tensor("output_norm.weight", 1 + weights("llama.output_norm", (WIDTH,), 0.1))
    for block in (f"blk.{number}." for number in range(LAYERS)):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}{norm}.weight", 1 + weights(block + norm, (WIDTH,), 0.1))
        for name, shape in matrices():
            matrix(block + name, weights(block + name, shape, 0.03))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def build(folder, quant):
    path = folder / f"chain-llama-{quant}.gguf"
    if path.exists():
        return
    part = path.with_name(f".build-{os.getpid()}-{path.name}")
    try:
        write_model(part, quant)
        actual = hashlib.sha256(part.read_bytes()).hexdigest()
        if actual != KNOWN[quant]:
            sys.exit(f"{path.name} has sha256 {actual}, not {KNOWN[quant]}: are the packages those of requirements.txt?")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    print(f"built {path.name}: {path.stat().st_size:,} bytes", flush=True)


def main(root):
    folder = root / REPO
    folder.mkdir(parents=True, exist_ok=True)
    for quant in KNOWN:
        build(folder, quant)
    settings = root / f"{REPO}.json"
    part = settings.with_suffix(".tmp")
    part.write_text(json.dumps(SETTINGS, indent=2) + "\n")
    os.replace(part, settings)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
