"""The dtypes in which exports of a model usually come, under the names that transformers.js looks for."""

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16


def write_fp16(source, path):
    """Half precision inside, float32 inputs and outputs."""
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), path)


def write_q8(source, path):
    """Dynamic quantization of the weights to 8 bits."""
    quantize_dynamic(source, path, weight_type=QuantType.QUInt8)


def write_q4(source, path):
    """Matrices in blocks of 32 values of 4 bits, embeddings in float32."""
    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=True)
    quantizer.process()
    quantizer.model.save_model_to_file(str(path))


VARIANTS = {"model_fp16.onnx": write_fp16, "model_quantized.onnx": write_q8, "model_q4.onnx": write_q4}
