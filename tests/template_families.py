"""Chat templates of the families that people use, each in the shortest form that shows what is its own."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import tiny_models

_CHATML = "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
_GENERATION = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
_HEADER = "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
_LLAMA_3_SYSTEM = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nToday Date: {{ date_string }}\n\n"
    "{% if messages[0].role == 'system' %}{{ messages[0].content | trim }}{% set messages = messages[1:] %}{%"
    " endif %}"
    "<|eot_id|>{% for m in messages %}" + _HEADER + "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
_PHI = "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n"
_PHI_GENERATION = "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
_GEMMA_TURNS = (
    "{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ first if loop.first }}{{ (m.content if m.content is string else m.content[0].text) | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """A chat template, the control tokens that it writes, and where it should put an answer."""

    template: str
    controls: tuple[str, ...]
    lead: str
    """What stands between the question and the answer."""
    end: str
    kind: str = "byte-level"
    bos: str = "<s>"
    eos: str = "</s>"
    kwargs: dict[str, Any] = field(default_factory=dict)
    rstrip: bool = False
    """Control tokens take the white space behind them, as Phi-3's do."""
    as_written: bool = True
    """False where a thought that the prompt opens is closed, which the template itself never writes."""
    markup: tuple[str, ...] = ()
    """Added tokens that are not special, such as the marks of a thought."""


_INSTRUCT = "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
_ONLY_TURNS = "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
FAMILIES = {
    "mistral v0.1": Family(
        _INSTRUCT + "[INST] {{ m.content }} [/INST]"
        "{% elif m.role == 'assistant' %}{{ m.content + eos_token + ' ' }}" + _ONLY_TURNS,
        (),
        " [/INST]",
        "</s>",
        "metaspace",
    ),
    "mistral v0.2": Family(
        "{%- if messages[0].role == 'system' %}{%- set first = messages[0].content + '\n\n' %}"
        "{%- set messages = messages[1:] %}{%- endif %}"
        + _INSTRUCT
        + "[INST] {{ first if loop.first }}{{ m.content }} "
        "[/INST]{% elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}" + _ONLY_TURNS,
        (),
        " [/INST] ",
        "</s>",
        "metaspace",
    ),
    "mistral v0.3": Family(
        "{%- if messages[0].role == 'system' %}{%- set system = messages[0].content %}"
        "{%- set messages = messages[1:] %}{%- endif %}" + _INSTRUCT + "{{ '[INST] ' + (system + '\n\n' if system is "
        "defined and messages[loop.index0 + 2] is not defined else '') + m.content + '[/INST]' }}"
        "{% elif m.role == 'assistant' %}{{ ' ' + m.content | trim + eos_token }}" + _ONLY_TURNS,
        ("[INST]", "[/INST]"),
        "[/INST] ",
        "</s>",
        "metaspace",
    ),
    "llama 2": Family(
        "{% if messages[0].role == 'system' %}{% set first = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
        "{% set messages = messages[1:] %}{% endif %}{% for m in messages %}{% if m.role == 'user' %}"
        "{{ bos_token + '[INST] ' + (first if loop.first and first is defined else '') + m.content | trim + '"
        " [/INST]' }}"
        "{% else %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% endif %}{% endfor %}",
        (),
        " [/INST] ",
        " </s>",
        "metaspace",
    ),
    "llama 3": Family(
        "{{ bos_token }}{% for m in messages %}" + _HEADER + "{{ m.content | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
    ),
    "llama 3.1": Family(
        "{% if not date_string is defined %}{% set date_string = '26 Jul 2024' %}{% endif %}" + _LLAMA_3_SYSTEM,
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
        kwargs={"date_string": "01 Jan 2025"},
    ),
    "llama 3.2": Family(
        "{% if strftime_now is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% else %}"
        "{% set date_string = '26 Jul 2024' %}{% endif %}" + _LLAMA_3_SYSTEM,
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
    ),
    "gemma 2": Family(
        "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported')"
        " }}{% endif %}" + _GEMMA_TURNS,
        ("<start_of_turn>", "<end_of_turn>"),
        "<end_of_turn>\n<start_of_turn>model\n",
        "<end_of_turn>",
        "metaspace",
    ),
    "gemma 3": Family(
        "{{ bos_token }}{% if messages[0].role == 'system' %}{% set first = (messages[0].content if"
        " messages[0].content "
        "is string else messages[0].content[0].text) + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
        + _GEMMA_TURNS,
        ("<start_of_turn>", "<end_of_turn>"),
        "<end_of_turn>\n<start_of_turn>model\n",
        "<end_of_turn>",
        "metaspace",
    ),
    "phi 3 mini": Family(
        "{% for m in messages %}{% if m.role != 'system' %}" + _PHI + "{% endif %}{% endfor %}" + _PHI_GENERATION,
        ("<|user|>", "<|assistant|>", "<|end|>"),
        "<|end|>\n<|assistant|>\n",
        "<|end|>",
        "metaspace",
        rstrip=True,
    ),
    "phi 3.5": Family(
        "{% for m in messages %}{% if m.role != 'system' or m.content %}" + _PHI + "{% endif %}{% endfor %}"
        "" + _PHI_GENERATION,
        ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|end|>\n<|assistant|>\n",
        "<|end|>",
        "metaspace",
        rstrip=True,
    ),
    "qwen 2.5": Family(
        "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are Qwen.<|im_end|>\n{% endif %}"
        "{% for m in messages %}" + _CHATML + "{% endfor %}" + _GENERATION,
        ("<|im_start|>", "<|im_end|>"),
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
        eos="<|im_end|>",
    ),
    "qwen 3": Family(
        "{% for m in messages %}{% if m.role == 'assistant' and loop.last"
        " %}<|im_start|>assistant\n<think>\n\n</think>\n\n"
        "{{ m.content }}<|im_end|>\n{% else %}" + _CHATML + "{% endif %}{% endfor %}{% if add_generation_prompt %}"
        "<|im_start|>assistant\n{% if enable_thinking is defined and enable_thinking is false"
        " %}<think>\n\n</think>\n\n"
        "{% endif %}{% endif %}",
        ("<|im_start|>", "<|im_end|>"),
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "<|im_end|>",
        eos="<|im_end|>",
        kwargs={"enable_thinking": False},
        markup=("<think>", "</think>"),
    ),
    "r1 distill": Family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}"
        "<｜User｜>{{ m.content }}{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{%"
        " endif %}"
        "{% endfor %}{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}",
        ("<｜User｜>", "<｜Assistant｜>"),
        "<｜Assistant｜><think>\n\n</think>\n\n",
        "<｜end▁of▁sentence｜>",
        bos="<｜begin▁of▁sentence｜>",
        eos="<｜end▁of▁sentence｜>",
        as_written=False,
        markup=("<think>", "</think>"),
    ),
    "gpt-oss": Family(
        "<|start|>system<|message|>Current date: {{ strftime_now('%Y-%m-%d') }}<|end|>"
        "{% if messages[0].role == 'system' %}<|start|>developer<|message|># Instructions\n\n{{"
        " messages[0].content }}"
        "<|end|>{% set messages = messages[1:] %}{% endif %}{% for m in messages %}{% if m.role == 'user' %}"
        "<|start|>user<|message|>{{ m.content }}<|end|>{% else %}<|start|>assistant<|channel|>final<|message|>"
        "{{ m.content }}{{ '<|return|>' if loop.last else '<|end|>' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant{% endif %}",
        ("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>"),
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|return|>",
        eos="<|return|>",
    ),
    "openchat": Family(
        "{{ bos_token }}{% for m in messages %}{{ 'GPT4 Correct ' + m.role.title() + ': ' + m.content + "
        "'<|end_of_turn|>' }}{% endfor %}{% if add_generation_prompt %}GPT4 Correct Assistant:{% endif %}",
        ("<|end_of_turn|>",),
        "<|end_of_turn|>GPT4 Correct Assistant: ",
        "<|end_of_turn|>",
        "metaspace",
    ),
    "deepseek v2": Family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ 'User: ' + m.content + '\n\n' }}"
        "{% elif m.role == 'assistant' %}{{ 'Assistant: ' + m.content + eos_token }}{% else %}{{ m.content +"
        " '\n\n' }}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}",
        (),
        "\n\nAssistant: ",
        "<｜end▁of▁sentence｜>",
        bos="<｜begin▁of▁sentence｜>",
        eos="<｜end▁of▁sentence｜>",
    ),
    "smollm 2": Family(
        "{% for m in messages %}{% if loop.first and messages[0].role != 'system' %}<|im_start|>system\nYou are"
        " SmolLM"
        "<|im_end|>\n{% endif %}" + _CHATML + "{% endfor %}" + _GENERATION,
        ("<|im_start|>", "<|im_end|>"),
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
        eos="<|im_end|>",
    ),
    "smollm 3": Family(
        "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}<|im_start|>system\n"
        "Today Date: {{ strftime_now('%d %B %Y') }}\nReasoning Mode: {{ '/think' if enable_thinking else"
        " '/no_think' }}\n\n"
        "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% set messages = messages[1:] %}{% endif %}"
        "<|im_end|>\n{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and not"
        " enable_thinking "
        "%}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}"
        "<|im_start|>assistant\n{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
        ("<|im_start|>", "<|im_end|>"),
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "<|im_end|>",
        eos="<|im_end|>",
        kwargs={"enable_thinking": False},
        markup=("<think>", "</think>"),
    ),
    "olmo 2": Family(
        "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}{% if m.role == 'assistant' %}"
        "{{ eos_token }}{% endif %}{{ '' if loop.last else '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}\n<|assistant|>\n{% endif %}",
        (),
        "\n<|assistant|>\n",
        "<|endoftext|>",
        bos="<|endoftext|>",
        eos="<|endoftext|>",
    ),
    "granite 3.3": Family(
        "{%- if messages[0].role == 'system' %}{% set system = messages[0].content %}"
        "{% set loop_messages = messages[1:] %}{% else %}"
        "{% set system = 'Knowledge Cutoff Date: April 2024.\nToday\\'s Date: ' + strftime_now('%B "
        "%d, %Y') + '.' %}"
        "{% if thinking %}{% set system = system + ' Think.' %}{% endif %}"
        "{% set loop_messages = messages %}{% endif %}"
        "<|start_of_role|>system<|end_of_role|>{{ system }}"
        "<|end_of_text|>\n{% for m in loop_messages %}<|start_of_role|>{{ m.role }}"
        "<|end_of_role|>{{ m.content }}<|end_of_text|>\n{% if loop.last and add_generation_prompt %}"
        "<|start_of_role|>assistant{% if controls %}{{ ' ' + controls | tojson }}{% endif %}"
        "<|end_of_role|>{% endif %}{% endfor %}",
        ("<|start_of_role|>", "<|end_of_role|>"),
        "<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
        "<|end_of_text|>",
        eos="<|end_of_text|>",
    ),
    "command-r7b": Family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
        "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{ m.content }}"
        "<|END_OF_TURN_TOKEN|>{% elif m.role == 'user' %}"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ m.content }}<|END_OF_TURN_TOKEN|>{% else %}"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>{{ m.content }}"
        "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>{% endif %}{% endfor %}{% if add_generation_prompt %}"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}",
        (
            "<|START_OF_TURN_TOKEN|>",
            "<|END_OF_TURN_TOKEN|>",
            "<|USER_TOKEN|>",
            "<|CHATBOT_TOKEN|>",
            "<|SYSTEM_TOKEN|>",
            "<|START_RESPONSE|>",
            "<|END_RESPONSE|>",
        ),
        "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>",
        "<|END_RESPONSE|>",
        eos="<|END_OF_TURN_TOKEN|>",
    ),
    "falcon 3": Family(
        "{% for m in messages %}{% if m.role == 'system' %}{{ '<|system|>\n' + m.content + '\n' }}"
        "{% elif m.role == 'user' %}{{ '<|user|>\n' + m.content + '\n' }}"
        "{% elif m.role == 'assistant' %}{% if not loop.last %}"
        "{{ '<|assistant|>\n' + m.content + eos_token + '\n' }}{% else %}"
        "{{ '<|assistant|>\n' + m.content + eos_token }}{% endif %}{% endif %}"
        "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}",
        (),
        "\n<|assistant|>\n",
        "<|endoftext|>",
        eos="<|endoftext|>",
        markup=("<|system|>", "<|user|>", "<|assistant|>"),
    ),
    "exaone 3.5": Family(
        "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
        "{{ '[|system|][|endofturn|]\n' }}{% endif %}{{ '[|' + m.role + '|]' + m.content }}"
        "{% if m.role == 'user' %}{{ '\n' }}{% else %}{{ '[|endofturn|]\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '[|assistant|]' }}{% endif %}",
        ("[|system|]", "[|user|]", "[|assistant|]", "[|endofturn|]"),
        "\n[|assistant|]",
        "[|endofturn|]",
        eos="[|endofturn|]",
    ),
    "glm 4.5": Family(
        "[gMASK]<sop>{% for m in messages %}{% if m.role == 'system' %}<|system|>\n{{ m.content }}"
        "{% elif m.role == 'user' %}<|user|>\n{{ m.content }}"
        "{{ '/nothink' if (enable_thinking is defined and not enable_thinking and not "
        "m.content.endswith('/nothink')) else '' }}"
        "{% else %}<|assistant|>{{ '\n<think></think>' }}{{ '\n' + m.content.strip() }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}"
        "<|assistant|>{{ '\n<think></think>' if (enable_thinking is defined and not enable_thinking) else '' }}"
        "{% endif %}",
        ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>"),
        "/nothink<|assistant|>\n<think></think>\n",
        "<|endoftext|>",
        eos="<|endoftext|>",
        as_written=False,
        markup=("<think>", "</think>"),
    ),
    "zephyr": Family(
        "{% for m in messages %}\n{% if m.role == 'user' %}\n{{ '<|user|>\n' + m.content + eos_token }}"
        "\n{% elif m.role == 'system' %}\n{{ '<|system|>\n' + m.content + eos_token }}"
        "\n{% elif m.role == 'assistant' %}\n{{ '<|assistant|>\n'  + m.content + eos_token }}"
        "\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}"
        "\n{% endfor %}",
        (),
        "</s>\n<|assistant|>\n",
        "</s>",
        kind="metaspace",
    ),
    "deepseek v3.1": Family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
        "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}{% else %}"
        "<｜Assistant｜></think>{{ m.content }}<｜end▁of▁sentence｜>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<｜Assistant｜>{% if thinking %}<think>{% else %}"
        "</think>{% endif %}{% endif %}",
        ("<｜User｜>", "<｜Assistant｜>"),
        "<｜Assistant｜></think>",
        "<｜end▁of▁sentence｜>",
        bos="<｜begin▁of▁sentence｜>",
        eos="<｜end▁of▁sentence｜>",
        markup=("<think>", "</think>"),
    ),
    "phi 4": Family(
        "{% for m in messages %}{% if m.role == 'system' %}"
        "<|im_start|>system<|im_sep|>{{ m.content }}<|im_end|>{% elif m.role == 'user' %}"
        "<|im_start|>user<|im_sep|>{{ m.content }}<|im_end|>{% else %}"
        "<|im_start|>assistant<|im_sep|>{{ m.content }}<|im_end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant<|im_sep|>{% endif %}",
        ("<|im_start|>", "<|im_end|>", "<|im_sep|>"),
        "<|im_end|><|im_start|>assistant<|im_sep|>",
        "<|im_end|>",
        eos="<|im_end|>",
    ),
    "llama 4": Family(
        "{{ bos_token }}{% for m in messages %}<|header_start|>{{ m.role }}"
        "<|header_end|>\n\n{% if m.content is string %}{{ m.content }}{% else %}"
        "{% for c in m.content %}{{ c.text | trim }}{% endfor %}{% endif %}<|eot|>{% endfor %}"
        "{% if add_generation_prompt %}<|header_start|>assistant<|header_end|>\n\n{% endif %}",
        ("<|header_start|>", "<|header_end|>", "<|eot|>"),
        "<|eot|><|header_start|>assistant<|header_end|>\n\n",
        "<|eot|>",
        eos="<|eot|>",
    ),
    "seed-oss": Family(
        "{{ bos_token }}system\nBe.{{ eos_token }}{% for m in messages %}{{ bos_token }}{{ m.role }}"
        "\n{% if m.role == 'assistant' %}"
        "<seed:think><seed:cot_budget_reflect>none</seed:cot_budget_reflect></seed:think>{% endif %}"
        "{{ m.content | trim }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}"
        "{{ bos_token }}assistant\n{% if thinking_budget == 0 %}"
        "<seed:think><seed:cot_budget_reflect>none</seed:cot_budget_reflect></seed:think>{% endif %}"
        "{% endif %}",
        (),
        "</s><s>assistant\n<seed:think><seed:cot_budget_reflect>none</seed:cot_budget_reflect></seed:think>",
        "</s>",
        markup=("<seed:think>", "</seed:think>", "<seed:cot_budget_reflect>", "</seed:cot_budget_reflect>"),
    ),
    "nemotron nano": Family(
        "{{ bos_token }}<SPECIAL_10>System\n{% if messages[0].role == 'system' %}"
        "{{ messages[0].content }}{% set messages = messages[1:] %}{% endif %}"
        "\n{% for m in messages %}{% if m.role == 'user' %}<SPECIAL_11>User\n{{ m.content }}\n{% else %}"
        "<SPECIAL_11>Assistant\n<think></think>{{ m.content }}\n<SPECIAL_12>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<SPECIAL_11>Assistant\n<think>\n{% endif %}",
        ("<SPECIAL_10>", "<SPECIAL_11>", "<SPECIAL_12>"),
        "\n<SPECIAL_11>Assistant\n<think></think>",
        "\n<SPECIAL_12>",
        eos="<SPECIAL_12>",
        markup=("<think>", "</think>"),
    ),
    "command-r": Family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>"
        "{{ m.content }}<|END_OF_TURN_TOKEN|>{% elif m.role == 'user' %}<|START_OF_TURN_TOKEN|><|USER_TOKEN|>"
        "{{ m.content.strip() }}<|END_OF_TURN_TOKEN|>{% else %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
        "{{ m.content.strip() }}<|END_OF_TURN_TOKEN|>{% endif %}{% endfor %}{% if add_generation_prompt %}"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}",
        (
            "<|START_OF_TURN_TOKEN|>",
            "<|END_OF_TURN_TOKEN|>",
            "<|USER_TOKEN|>",
            "<|CHATBOT_TOKEN|>",
            "<|SYSTEM_TOKEN|>",
        ),
        "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        "<|END_OF_TURN_TOKEN|>",
        bos="<BOS_TOKEN>",
        eos="<|END_OF_TURN_TOKEN|>",
    ),
    "mistral small 3": Family(
        "{%- set today = strftime_now('%Y-%m-%d') %}{{- bos_token }}{%- if messages[0].role == 'system' %}"
        "{%- set system = messages[0].content %}{%- set messages = messages[1:] %}{%- else %}"
        "{%- set system = 'You are Mistral. The current date is ' + today + '.' %}{%- endif %}"
        "{{- '[SYSTEM_PROMPT]' + system + '[/SYSTEM_PROMPT]' }}{%- for m in messages %}{%- if m.role == 'user' %}"
        "{%- if m.content is string %}{{- '[INST]' + m.content + '[/INST]' }}{%- else %}{{- '[INST]' }}"
        "{%- for block in m.content %}{{- block.text }}{%- endfor %}{{- '[/INST]' }}{%- endif %}"
        "{%- elif m.role == 'assistant' %}{{- m.content + eos_token }}" + _ONLY_TURNS,
        ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[INST]", "[/INST]"),
        "[/INST]",
        "</s>",
    ),
    "glm 4": Family(
        "[gMASK]<sop>{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>{{ m.get('metadata', '') }}\n"
        "{{ m.content }}{% else %}<|{{ m.role }}|>\n{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>"),
        "<|assistant|>\n",
        "<|endoftext|>",
        eos="<|endoftext|>",
        # The template ends an answer with the next turn alone.
        as_written=False,
    ),
    "kimi k2": Family(
        "{%- for m in messages -%}{%- if loop.first and m.role != 'system' -%}<|im_system|>system<|im_middle|>"
        "You are Kimi.<|im_end|>{%- endif -%}{%- if m.role == 'user' -%}<|im_user|>user<|im_middle|>"
        "{%- elif m.role == 'assistant' -%}<|im_assistant|>assistant<|im_middle|>{%- else -%}"
        "<|im_system|>system<|im_middle|>{%- endif -%}{{ m.content }}<|im_end|>{%- endfor -%}"
        "{%- if add_generation_prompt -%}<|im_assistant|>assistant<|im_middle|>{%- endif -%}",
        ("<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>"),
        "<|im_end|><|im_assistant|>assistant<|im_middle|>",
        "<|im_end|>",
        eos="[EOS]",
    ),
    "hunyuan": Family(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}<｜place▁holder▁3｜>"
        "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}{% else %}<｜Assistant｜>{{ m.content }}"
        "<｜place▁holder▁2｜>{% endif %}{% endfor %}{% if add_generation_prompt %}<｜Assistant｜>"
        "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n' }}{% endif %}"
        "{% endif %}",
        ("<｜User｜>", "<｜Assistant｜>", "<｜place▁holder▁2｜>", "<｜place▁holder▁3｜>"),
        "<｜Assistant｜><think>\n\n</think>\n",
        "<｜place▁holder▁2｜>",
        bos="<｜begin▁of▁sentence｜>",
        eos="<｜place▁holder▁2｜>",
        kwargs={"enable_thinking": False},
        as_written=False,
        markup=("<think>", "</think>"),
    ),
    "llama nemotron": Family(
        "{{ bos_token }}{% if messages[0].role == 'system' %}{% set system = messages[0].content | trim %}"
        "{% set messages = messages[1:] %}{% else %}{% set system = 'detailed thinking on' %}{% endif %}"
        "<|start_header_id|>system<|end_header_id|>\n\n{{ system }}<|eot_id|>{% for m in messages %}"
        "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{{ (m.content.split('</think>')[-1].lstrip() if m.role == 'assistant' else m.content) | trim }}<|eot_id|>"
        "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
        eos="<|eot_id|>",
    ),
    "chatml without generation prompt": Family(
        "{% for m in messages %}" + _CHATML + "{% endfor %}",
        ("<|im_start|>", "<|im_end|>"),
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    "content as parts": Family(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for part in m.content %}{{ part.text }}{% endfor"
        " %}<|im_end|>"
        "\n{% endfor %}" + _GENERATION,
        ("<|im_start|>", "<|im_end|>"),
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    "no control tokens": Family(
        "{% for m in messages %}### {{ m.role }}:\n{{ m.content | trim }}\n\n{% endfor %}"
        "{% if add_generation_prompt %}### assistant:\n{% endif %}",
        (),
        "\n\n### assistant:\n",
        "</s>",
        as_written=False,
    ),
}


@cache
def tokenizer(name: str):
    """A trained tokenizer with a family's control tokens and template."""
    from tokenizers import AddedToken

    family = FAMILIES[name]
    made = tiny_models.tokenizer(family.kind, family.template)
    special = [*dict.fromkeys((*family.controls, family.bos, family.eos))]
    made.add_special_tokens({"bos_token": family.bos, "eos_token": family.eos})
    made.add_tokens([AddedToken(t, special=True, normalized=False, rstrip=family.rstrip) for t in special])
    made.add_tokens([AddedToken(t, special=False, normalized=False) for t in family.markup])
    return made
