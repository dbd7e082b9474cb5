"""The peers' side of a comparison, in their own environment: python peers.py JOB.json ANSWER.json.

lm-eval answers its multiple-choice requests (a context, and the log-likelihood of each option behind it); TRL trains.
Both get the token-for-token texts that ours makes, in the job.
"""

import tempfile
from typing import Any

from common import answer, job, measured


def main() -> None:
    """Measure one job, after a warm-up on its first question."""
    given = job()
    answer(_train(given) if given["work"] == "train" else _score(given))


def _score(given: dict[str, Any]) -> dict[str, Any]:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    import torch

    torch.set_num_threads(given["threads"])
    lm = HFLM(pretrained=given["model"], dtype="bfloat16", device="cpu", batch_size=given["peer_batch"])

    def requests(posed: list[dict[str, Any]]) -> list[Any]:
        pairs = [(p["context"], option) for p in posed for option in p["continuations"]]
        return [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]

    def work() -> list[float]:
        # One run a method, as a task of lm-eval has one kind of options.
        found = []
        for method in given["methods"]:
            posed = [p for p in given["posed"] if p["method"] == method]
            found += [float(score) for score, _ in lm.loglikelihood(requests(posed), disable_tqdm=True)]
        return found

    lm.loglikelihood(requests(given["posed"][:1]), disable_tqdm=True)
    found = measured(work)
    scores = iter(found["result"])
    ordered = [p for method in given["methods"] for p in given["posed"] if p["method"] == method]
    found["result"] = {p["key"]: [next(scores) for _ in p["continuations"]] for p in ordered}
    return found


def _train(given: dict[str, Any]) -> dict[str, Any]:
    from datasets import Dataset
    from peft import LoraConfig
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(given["threads"])
    network = AutoModelForCausalLM.from_pretrained(given["model"], dtype=torch.bfloat16)
    data = Dataset.from_list(
        [
            {"input_ids": e["ids"], "completion_mask": [int(label != -100) for label in e["labels"]]}
            for e in given["examples"]
        ]
    )
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=network,
            args=SFTConfig(
                output_dir=scratch,
                per_device_train_batch_size=given["micro"],
                gradient_accumulation_steps=given["batch"] // given["micro"],
                num_train_epochs=1,
                learning_rate=2e-4,
                warmup_steps=0,
                bf16=True,
                use_cpu=True,
                max_length=None,
                gradient_checkpointing=given["checkpointing"],
                completion_only_loss=True,
                report_to="none",
                save_strategy="no",
                logging_steps=1,
                disable_tqdm=True,
                seed=1,
            ),
            train_dataset=data,
            processing_class=AutoTokenizer.from_pretrained(given["model"]),
            peft_config=LoraConfig(
                r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
        )
        found = measured(trainer.train)
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    found["result"] = {"loss": [sum(losses) / len(losses)]}
    return found


if __name__ == "__main__":
    main()
