package io.attention4j.llm;

import io.attention4j.llm.architecture.ModelConfig;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What a loaded model is and how it runs.
 *
 * @param path file or folder
 * @param name name in the file, or that of the file
 * @param config sizes and settings
 * @param parameters elements of all weights
 * @param contextTokens longest sequence as loaded; config has what the model was trained for
 * @param options what it was loaded with
 * @param kernels provider id and what it runs on
 * @param memory bytes it takes
 * @param weightBytesPerToken bytes of weights that one decoded token reads
 * @param chatTemplate Jinja source of the chat template, if the file has one
 */
public record ModelInfo(
    Path path,
    String name,
    ModelConfig config,
    long parameters,
    int contextTokens,
    LoadOptions options,
    String kernels,
    MemoryEstimate memory,
    long weightBytesPerToken,
    Optional<String> chatTemplate) {}
