-- THE split: every rating once, marked as train or test.
--
-- A user's newest n_test ratings are the test set. Time stamps tie, so movie_id decides among
-- equal ones: the order is total, and the split is the same for every plan and server version.
-- A user who has no more than n_test ratings stays in train: nothing would be left to learn from.
-- The newest n_held_back ratings of a user who has more are left out before: with n_held_back = 5,
-- parameters are chosen on the ratings before the test ones.
--
-- Parameters: n_test       ratings of each user in the test set
--             n_held_back  newest ratings of each user that are left out altogether
--             user_num     users in the sample; 0 takes all
--             user_seed    seed of the sample
-- Grain:      one row a rating, ordered by user, newest first
-- Units:      rating in stars, timestamp in seconds since the epoch (UTC)

with sampled_users as (
    select user_id
    from users
    order by md5(%(user_seed)s || ':' || user_id), user_id
    limit %(user_num)s
),

ranked_ratings as (
    select
        user_id,
        movie_id,
        rating,
        timestamp,
        row_number() over newest_first as place,
        count(*) over (partition by user_id) as n_ratings
    from ratings
    where
        %(user_num)s = 0
        or user_id in (select sampled_users.user_id from sampled_users)
    window newest_first as (
        partition by user_id
        order by timestamp desc, movie_id desc
    )
),

held_back as (
    select
        user_id,
        movie_id,
        rating,
        timestamp,
        case when n_ratings > %(n_held_back)s then place - %(n_held_back)s else place end
            as recency,
        case when n_ratings > %(n_held_back)s then n_ratings - %(n_held_back)s else n_ratings end
            as n_left
    from ranked_ratings
)

select
    user_id,
    movie_id,
    rating::real as rating,
    timestamp,
    recency <= %(n_test)s and n_left > %(n_test)s as is_test
from held_back
where recency > 0
order by user_id asc, timestamp desc, movie_id desc
