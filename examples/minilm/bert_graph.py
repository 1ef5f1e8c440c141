"""The ONNX graph of a BERT encoder, with the names and inputs of the usual exports, from the weights of a checkpoint."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NORM_EPSILON = 1e-12
MASKED = -10000.0


class GraphBuilder:
    """Collects nodes and constants; every method returns the name of a value."""

    def __init__(self, tensors, heads):
        self.tensors = tensors
        self.heads = heads
        self.hidden = tensors["embeddings.LayerNorm.weight"].shape[0]
        self.nodes = []
        self.constants = {}

    def constant(self, name, value):
        array = np.asarray(value, order="C")
        self.constants.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def scalar(self, name, value):
        return self.constant(name, np.array(value, np.float32))

    def weight(self, name):
        return self.constant(name, self.tensors[name])

    def node(self, kind, *inputs, output=None, **attributes):
        number = len(self.nodes)
        output = output or f"{kind}_{number}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=f"node_{number}_{kind}", **attributes))
        return output

    def linear(self, value, name):
        # A checkpoint has [out, in] matrices; MatMul takes [in, out].
        matrix = self.constant(f"{name}.weight", self.tensors[f"{name}.weight"].T)
        return self.node("Add", self.node("MatMul", value, matrix), self.weight(f"{name}.bias"))

    def norm(self, value, name, output=None):
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", value, scale, bias, output=output, axis=-1, epsilon=NORM_EPSILON)

    def split_heads(self, value, order):
        shape = self.constant("split", np.array([0, 0, self.heads, self.hidden // self.heads]))
        return self.node("Transpose", self.node("Reshape", value, shape), perm=order)

    def embeddings(self):
        one = self.constant("one", np.array(1))
        zero = self.constant("zero", np.array(0))
        length = self.node("Gather", self.node("Shape", "input_ids"), one)
        positions = self.node("Range", zero, length, one)
        words = self.lookup("word", "input_ids")
        value = self.node("Add", words, self.lookup("token_type", "token_type_ids"))
        value = self.node("Add", value, self.lookup("position", positions))
        return self.norm(value, "embeddings.LayerNorm")

    def lookup(self, kind, ids):
        return self.node("Gather", self.weight(f"embeddings.{kind}_embeddings.weight"), ids)

    def mask(self):
        axes = self.constant("axes", np.array([1, 2]))
        mask = self.node("Cast", self.node("Unsqueeze", "attention_mask", axes), to=TensorProto.FLOAT)
        return self.node("Mul", self.node("Sub", self.scalar("f_one", 1), mask), self.scalar("f_min", MASKED))

    def attention(self, value, mask, prefix):
        query = self.split_heads(self.linear(value, f"{prefix}attention.self.query"), [0, 2, 1, 3])
        key = self.split_heads(self.linear(value, f"{prefix}attention.self.key"), [0, 2, 3, 1])
        content = self.split_heads(self.linear(value, f"{prefix}attention.self.value"), [0, 2, 1, 3])
        scale = self.scalar("f_scale", (self.hidden // self.heads) ** -0.5)
        scores = self.node("Mul", self.node("MatMul", query, key), scale)
        weights = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", weights, content), perm=[0, 2, 1, 3])
        joined = self.node("Reshape", mixed, self.constant("join", np.array([0, 0, self.hidden])))
        output = self.linear(joined, f"{prefix}attention.output.dense")
        return self.norm(self.node("Add", output, value), f"{prefix}attention.output.LayerNorm")

    def gelu(self, value):
        erf = self.node("Erf", self.node("Div", value, self.scalar("f_sqrt2", 2**0.5)))
        gate = self.node("Add", erf, self.scalar("f_one", 1))
        return self.node("Mul", self.node("Mul", value, gate), self.scalar("f_half", 0.5))

    def layer(self, value, mask, prefix, output=None):
        value = self.attention(value, mask, prefix)
        inner = self.gelu(self.linear(value, f"{prefix}intermediate.dense"))
        outer = self.linear(inner, f"{prefix}output.dense")
        return self.norm(self.node("Add", outer, value), f"{prefix}output.LayerNorm", output)


def write_encoder(path, tensors, layers, heads):
    """Write the encoder of a BertModel checkpoint as one ONNX file: ids in, last_hidden_state out."""
    builder = GraphBuilder(tensors, heads)
    value, mask = builder.embeddings(), builder.mask()
    for number in range(layers):
        last = "last_hidden_state" if number == layers - 1 else None
        value = builder.layer(value, mask, f"encoder.layer.{number}.", last)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    shape = ["batch", "sequence", builder.hidden]
    outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(builder.nodes, "bert", inputs, outputs, list(builder.constants.values()))
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, ir_version=8, opset_imports=opset, producer_name="tabagent-model-cache")
    onnx.checker.check_model(model)
    onnx.save(model, path)
